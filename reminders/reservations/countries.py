"""The ISO 3166-1 codes of countries, and the names of the countries in the languages of people."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

import phonenumbers
from django.conf import settings
from django.utils.translation import get_language

#: The two-letter and three-letter code of each country. Kosovo has no official code, so XK and XKX are used.
_PAIRS = """
    AD:AND AE:ARE AF:AFG AG:ATG AI:AIA AL:ALB AM:ARM AO:AGO AQ:ATA AR:ARG AS:ASM AT:AUT AU:AUS AW:ABW AX:ALA
    AZ:AZE BA:BIH BB:BRB BD:BGD BE:BEL BF:BFA BG:BGR BH:BHR BI:BDI BJ:BEN BL:BLM BM:BMU BN:BRN BO:BOL BQ:BES
    BR:BRA BS:BHS BT:BTN BV:BVT BW:BWA BY:BLR BZ:BLZ CA:CAN CC:CCK CD:COD CF:CAF CG:COG CH:CHE CI:CIV CK:COK
    CL:CHL CM:CMR CN:CHN CO:COL CR:CRI CU:CUB CV:CPV CW:CUW CX:CXR CY:CYP CZ:CZE DE:DEU DJ:DJI DK:DNK DM:DMA
    DO:DOM DZ:DZA EC:ECU EE:EST EG:EGY EH:ESH ER:ERI ES:ESP ET:ETH FI:FIN FJ:FJI FK:FLK FM:FSM FO:FRO FR:FRA
    GA:GAB GB:GBR GD:GRD GE:GEO GF:GUF GG:GGY GH:GHA GI:GIB GL:GRL GM:GMB GN:GIN GP:GLP GQ:GNQ GR:GRC GS:SGS
    GT:GTM GU:GUM GW:GNB GY:GUY HK:HKG HM:HMD HN:HND HR:HRV HT:HTI HU:HUN ID:IDN IE:IRL IL:ISR IM:IMN IN:IND
    IO:IOT IQ:IRQ IR:IRN IS:ISL IT:ITA JE:JEY JM:JAM JO:JOR JP:JPN KE:KEN KG:KGZ KH:KHM KI:KIR KM:COM KN:KNA
    KP:PRK KR:KOR KW:KWT KY:CYM KZ:KAZ LA:LAO LB:LBN LC:LCA LI:LIE LK:LKA LR:LBR LS:LSO LT:LTU LU:LUX LV:LVA
    LY:LBY MA:MAR MC:MCO MD:MDA ME:MNE MF:MAF MG:MDG MH:MHL MK:MKD ML:MLI MM:MMR MN:MNG MO:MAC MP:MNP MQ:MTQ
    MR:MRT MS:MSR MT:MLT MU:MUS MV:MDV MW:MWI MX:MEX MY:MYS MZ:MOZ NA:NAM NC:NCL NE:NER NF:NFK NG:NGA NI:NIC
    NL:NLD NO:NOR NP:NPL NR:NRU NU:NIU NZ:NZL OM:OMN PA:PAN PE:PER PF:PYF PG:PNG PH:PHL PK:PAK PL:POL PM:SPM
    PN:PCN PR:PRI PS:PSE PT:PRT PW:PLW PY:PRY QA:QAT RE:REU RO:ROU RS:SRB RU:RUS RW:RWA SA:SAU SB:SLB SC:SYC
    SD:SDN SE:SWE SG:SGP SH:SHN SI:SVN SJ:SJM SK:SVK SL:SLE SM:SMR SN:SEN SO:SOM SR:SUR SS:SSD ST:STP SV:SLV
    SX:SXM SY:SYR SZ:SWZ TC:TCA TD:TCD TF:ATF TG:TGO TH:THA TJ:TJK TK:TKL TL:TLS TM:TKM TN:TUN TO:TON TR:TUR
    TT:TTO TV:TUV TW:TWN TZ:TZA UA:UKR UG:UGA UM:UMI US:USA UY:URY UZ:UZB VA:VAT VC:VCT VE:VEN VG:VGB VI:VIR
    VN:VNM VU:VUT WF:WLF WS:WSM YE:YEM YT:MYT ZA:ZAF ZM:ZMB ZW:ZWE XK:XKX
"""
_CODES = dict(pair.split(":") for pair in _PAIRS.split())
_ALPHA_3 = frozenset(_CODES.values())
#: Common country names and codes that the phonenumbers library does not contain.
_OTHER_NAMES = {
    "uk": "GBR", "england": "GBR", "scotland": "GBR", "wales": "GBR", "northern ireland": "GBR",
    "great britain": "GBR", "united states of america": "USA", "u s a": "USA", "u s": "USA", "u k": "GBR",
    "russian federation": "RUS", "korea": "KOR", "republic of korea": "KOR", "korea republic of": "KOR",
    "holland": "NLD", "the netherlands": "NLD", "czech republic": "CZE", "czechia": "CZE", "turkiye": "TUR",
    "türkiye": "TUR", "viet nam": "VNM", "iran islamic republic of": "IRN", "syrian arab republic": "SYR",
    "bolivia plurinational state of": "BOL", "venezuela bolivarian republic of": "VEN", "hong kong": "HKG",
    "tanzania united republic of": "TZA", "moldova republic of": "MDA", "macao": "MAC", "ivory coast": "CIV",
    "cape verde": "CPV", "swaziland": "SWZ", "macedonia": "MKD", "north macedonia": "MKD", "burma": "MMR",
    "ee uu": "USA", "eeuu": "USA", "estados unidos de américa": "USA", "reino unido": "GBR", "kosovo": "XKX",
    "tmp": "TLS", "rom": "ROU", "zar": "COD", "scg": "SRB", "yug": "SRB", "ant": "CUW",
}  # fmt: skip
#: The languages of staff and guests.
_LANGUAGES = ("en", "es", "pt")
_PUNCTUATION = re.compile(r"[\s.,()\-_&]+")


def country_code(text: str) -> str | None:
    """Return the three-letter code for a country code or a country name in any language, or None if unknown."""
    code = text.upper()
    if code in _ALPHA_3:
        return code
    if code in _CODES:
        return _CODES[code]
    return _names().get(_normalize(text))


def country_name(code: str) -> str:
    """Return the name in the active language of the country with this code of two or three letters.

    If no name is known, return the code.
    """
    languages = _display_names().get(_CODES.get(code, code), {})
    active = (get_language() or settings.LANGUAGE_CODE).partition("-")[0]
    return languages.get(active) or languages.get("en") or code


@functools.cache
def _display_names() -> dict[str, dict[str, str]]:
    """Return the names of each country by its three-letter code and by language.

    In the library, the name "*es" means that the name is the same as in Spanish. The key "aa" is not a language.
    """
    names: dict[str, dict[str, str]] = {"XKX": {"en": "Kosovo"}}
    for code, translations in _names_by_language().items():
        if code not in _CODES:
            continue
        names[_CODES[code]] = found = {}
        for language in _LANGUAGES:
            name = translations.get(language, "")
            while name.startswith("*"):
                name = translations[name.removeprefix("*")]
            found[language] = name
    return names


@functools.cache
def _names() -> dict[str, str]:
    """Return the three-letter code for each normalized country name.

    The names in 40 languages come from the phonenumbers library.
    """
    names = {
        _normalize(name): _CODES[code]
        for code, translations in _names_by_language().items()
        if code in _CODES
        for name in translations.values()
        if not name.startswith("*")
    }
    return names | _OTHER_NAMES


def _names_by_language() -> dict[str, dict[str, str]]:
    """Return the names of each country by its two-letter code and by language, from the phonenumbers library.

    The names are read from the file of their module, because an import of the library would take 100 MB of memory.
    """
    file = Path(phonenumbers.__file__).with_name("geodata") / "locale.py"
    spec = importlib.util.spec_from_file_location("phonenumbers.geodata.locale", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python module.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names: dict[str, dict[str, str]] = module.LOCALE_DATA
    return names


def _normalize(name: str) -> str:
    return _PUNCTUATION.sub(" ", name.casefold()).strip()
