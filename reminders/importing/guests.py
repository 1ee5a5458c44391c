"""Guests for bookings that hold none: names plausible for the country, addresses that lead nowhere.

All is a function of the booking's number, so that an import made again invents the same people. Addresses are
under example.com, which nobody can own (RFC 2606).
"""

from __future__ import annotations

import functools
import unicodedata
import zlib

DOMAIN = "example.com"
#: The development mail catcher refuses these for good, so that there is a failure to look at.
REFUSED_DOMAIN = "refused.example.com"

_PORTUGUESE = frozenset({"PRT", "BRA", "AGO", "MOZ", "CPV", "STP", "GNB", "TMP"})
_SPANISH = frozenset(
    {"ESP", "ARG", "MEX", "COL", "CHL", "PER", "VEN", "ECU", "URY", "CUB", "CRI", "DOM", "GTM", "BOL",
     "PRY", "SLV", "HND", "NIC", "PAN", "PRI"}
)  # fmt: skip
_NAMES: dict[str, tuple[str, str]] = {
    "PRT": (
        "Ana Beatriz Catarina Diogo Duarte Filipa Gonçalo Inês João José Leonor Luís Mafalda Manuel Maria "
        "Mariana Miguel Nuno Pedro Rita Rui Sofia Teresa Tiago Vasco",
        "Almeida Andrade Azevedo Barros Brandão Cardoso Carvalho Castro Coelho Costa Cunha Esteves Faria "
        "Fonseca Guimarães Leitão Magalhães Marques Moreira Neves Pacheco Pinheiro Queirós Rebelo Simões Teixeira",
    ),
    "ESP": (
        "Adrián Alba Carmen Claudia Daniel Elena Hugo Ignacio Irene Javier Jimena Laura Lucía Marcos Marina "
        "Martín Nuria Pablo Paula Raquel Rocío Sergio Valeria Álvaro Íñigo",
        "Aguilar Benítez Cabrera Cortés Delgado Domínguez Fuentes Gallego Herrero Ibáñez Lozano Medina Molina "
        "Navarro Núñez Ortega Peña Prieto Ramos Santana Serrano Solís Vidal Zapata",
    ),
    "GBR": (
        "Alice Amelia Arthur Callum Charlotte Daniel Eleanor Emily Fergus George Grace Harriet Isla Jack James "
        "Lewis Lucy Martha Oliver Owen Rosie Samuel Sophie Thomas William",
        "Ashworth Barlow Bennett Carver Chambers Dalton Ellison Fairchild Foster Garrick Harding Holloway Kendrick "
        "Lockwood Mercer Norwood Pembroke Radcliffe Sheldon Thornton Underhill Wainwright Whitaker Yardley",
    ),
    "FRA": (
        "Adèle Antoine Baptiste Camille Chloé Clément Élise Étienne Florian Gabriel Hélène Inès Jules Louise Lucas "
        "Manon Mathis Noémie Pauline Rémi Sacha Théo Valentin Zoé",
        "Arnaud Barbier Blanchard Bourgeois Carpentier Chevalier Collet Delmas Fabre Fontaine Gauthier Giraud "
        "Lacroix Lemoine Marchand Mercier Pelletier Renaud Roussel Vasseur",
    ),
    "DEU": (
        "Anke Anton Clara Emil Felix Frieda Greta Hannah Jakob Johanna Jonas Karla Lena Leonie Lukas Marlene "
        "Matthias Moritz Nele Oskar Paul Sabine Stefan Theresa Uwe",
        "Albrecht Baumgartner Böhm Brandt Dietrich Engel Falk Förster Graf Hartmann Jäger Keller Köhler Lorenz "
        "Mayr Neumann Pfeiffer Reuter Sommer Steiner Thiel Vogt Winkler Zimmermann",
    ),
    "ITA": (
        "Alessia Andrea Beatrice Bruno Chiara Davide Elisa Fabio Federica Giorgia Giulia Lorenzo Luca Marta Matteo "
        "Nicola Paola Riccardo Sara Simone Stefano Tommaso Viola",
        "Amato Barbieri Basile Caruso Colombo Conti D'Angelo De Luca Fabbri Ferrara Galli Giordano Leone Lombardi "
        "Marini Moretti Orlando Pellegrini Rinaldi Sartori Testa Vitale",
    ),
    "NLD": (
        "Anouk Bas Bram Daan Eva Femke Floor Gijs Hanneke Jasper Joris Koen Lieke Lotte Maarten Marijke Niels Pieter "
        "Ruben Sanne Sem Stijn Tess Wouter",
        "Bakker Brouwer Claes Dekker Dijkstra Hendriks Hoekstra Jacobs Kuipers Maes Mulder Peeters Postma Schouten "
        "Smit Tijssen Veenstra Verhoeven Visser Willems",
    ),
    "CHN": (
        "Bowen Chen Hao Jia Jing Lan Lei Li Lin Mei Min Ning Qing Rui Shan Tao Wei Xin Yan Yi Yu Zhen",
        "Cao Deng Fang Feng Guo Han He Hu Jiang Liang Lu Ma Peng Shen Song Sun Tang Wu Xie Xu Yang Yuan Zhao Zhou",
    ),
    "SWE": (
        "Alva Anders Astrid Axel Ebba Elin Erik Freja Gustav Hedda Ida Ingrid Johan Kaisa Lars Linnea Mikko Nils "
        "Olav Petra Signe Sven Tove Vilma",
        "Aalto Bergström Dahl Eklund Engström Hagen Halvorsen Holmgren Korhonen Lindqvist Lund Nyberg Nygård Rask "
        "Sandberg Sjöberg Solberg Strand Sundström Virtanen",
    ),
    "POL": (
        "Adam Aleksandra Anna Bartosz Dorota Ewa Filip Iga Jakub Jan Kacper Katarzyna Lena Maja Marek Michał "
        "Natalia Olga Piotr Radu Tomasz Vera Zofia",
        "Adamczyk Baran Dudek Horvat Ionescu Jankowski Kaczmarek Kovač Krawczyk Lis Majewski Novák Nowak Pavlov "
        "Popescu Sobczak Szabó Tóth Wilk Zając",
    ),
}
_LIKE = {
    **dict.fromkeys(_PORTUGUESE, "PRT"),
    **dict.fromkeys(_SPANISH, "ESP"),
    **dict.fromkeys(("FRA", "BEL", "LUX", "MAR", "DZA", "TUN", "SEN", "CIV"), "FRA"),
    **dict.fromkeys(("DEU", "AUT", "CHE", "LIE"), "DEU"),
    **dict.fromkeys(("CHN", "CN", "TWN", "HKG", "MAC", "SGP"), "CHN"),
    **dict.fromkeys(("SWE", "NOR", "DNK", "FIN", "ISL", "EST"), "SWE"),
    **dict.fromkeys(
        ("POL", "CZE", "SVK", "HUN", "ROU", "BGR", "SRB", "HRV", "SVN", "UKR", "RUS", "BLR", "LTU", "LVA"), "POL"
    ),
    "ITA": "ITA",
    "NLD": "NLD",
}  # everybody else has a name from the British list
_PARTS = {
    country: (tuple(given.split()), tuple(family.replace("De Luca", "De_Luca").split()))
    for country, (given, family) in _NAMES.items()
}


def language_of(country: str) -> str:
    """The language in which a guest from there is written to; empty where the country is unknown."""
    if not country:
        return ""
    if country in _PORTUGUESE:
        return "pt"
    return "es" if country in _SPANISH else "en"


def name_of(number: str, country: str) -> str:
    given, family = _PARTS[_LIKE.get(country, "GBR")]
    seed = zlib.crc32(number.encode())
    return f"{given[seed % len(given)]} {family[seed // 1009 % len(family)]}".replace("_", " ")


def email_of(number: str, name: str, *, is_refused: bool = False) -> str:
    """An address that no other booking has."""
    return f"{_local_part(name)}.{_plain(number)}@{REFUSED_DOMAIN if is_refused else DOMAIN}"


@functools.lru_cache(maxsize=8192)
def _local_part(name: str) -> str:
    return ".".join(filter(None, (_plain(part) for part in name.split())))


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in letters if c.isascii() and c.isalnum())
