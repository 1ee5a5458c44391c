"""The choice of a language in forms of the admin, by the name that its speakers use."""

from django import forms
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminSelectWidget

from tenants.context import current_hotel
from tenants.languages import language_choices, language_name


def offer_languages(form: forms.ModelForm, *, empty_label: str = "") -> None:  # type: ignore[type-arg]
    """Replace the text field `language` of the form with a choice of languages.

    The stored language is offered too, because an import may have stored a code that is not among the choices. With
    `empty_label`, the first choice stores no language.
    """
    field = form.fields.get("language")
    if field is None:  # the form of a read-only page has no fields
        return
    choices = list(language_choices())
    stored = form.instance.language
    if stored and stored not in dict(choices):
        choices.insert(0, (stored, language_name(stored)))
    if empty_label:
        choices.insert(0, ("", empty_label))
    form.fields["language"] = forms.ChoiceField(
        label=field.label,
        choices=choices,
        required=not empty_label,
        initial=field.initial,
        help_text=field.help_text,
        widget=UnfoldAdminSelectWidget,
    )


def hotel_language_label() -> str:
    """Return the label of the choice that stores no language, so that the guest gets the hotel's language."""
    hotel_language = language_name(current_hotel().language)
    return _("The hotel's language (%(language)s)") % {"language": hotel_language}
