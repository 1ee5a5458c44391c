"""The two rules that every hotel begins with, in English, Spanish and Portuguese.

Plain INSERTs with fixed ids, so that a hotel made from the template has the very same rows as one that was
migrated. Never changed afterwards: the texts are the hotel's own from here on.
"""

from django.db import migrations

WEEK = "01980000-0000-7000-8000-000000000007"
DAY = "01980000-0000-7000-8000-000000000001"

RULES = [
    # A guest who books later than a week ahead is written to by the second rule alone.
    (WEEK, "7 days before arrival", 7, "skip"),
    (DAY, "1 day before arrival", 1, "send_now"),
]

TEMPLATES = [
    (
        "01980000-0000-7000-8000-000000000701", WEEK, "en",
        "Your stay at {{ hotel_name }} is a week away",
        "Dear {{ guest_name }},",
        "We look forward to welcoming you on {{ arrival }}.",
        "Should your plans have changed, or if there is anything that we can prepare for you, please let us know.",
        [("Arrival", "{{ arrival }}"), ("Departure", "{{ departure }}"), ("Nights", "{{ nights }}"), ("Booking", "{{ number }}")],
        "See you soon,",
    ),
    (
        "01980000-0000-7000-8000-000000000702", WEEK, "es",
        "Falta una semana para su estancia en {{ hotel_name }}",
        "Estimado/a {{ guest_name }}:",
        "Será un placer recibirle el {{ arrival }}.",
        "Si sus planes han cambiado o podemos preparar algo para usted, háganoslo saber.",
        [("Llegada", "{{ arrival }}"), ("Salida", "{{ departure }}"), ("Noches", "{{ nights }}"), ("Reserva", "{{ number }}")],
        "Hasta pronto,",
    ),
    (
        "01980000-0000-7000-8000-000000000703", WEEK, "pt",
        "Falta uma semana para a sua estadia em {{ hotel_name }}",
        "Caro/a {{ guest_name }},",
        "Teremos muito gosto em recebê-lo/a: {{ arrival }}.",
        "Se os seus planos mudaram, ou se podemos preparar algo para si, diga-nos por favor.",
        [("Chegada", "{{ arrival }}"), ("Partida", "{{ departure }}"), ("Noites", "{{ nights }}"), ("Reserva", "{{ number }}")],
        "Até breve,",
    ),
    (
        "01980000-0000-7000-8000-000000000101", DAY, "en",
        "{{ hotel_name }}: everything is ready for your arrival",
        "Dear {{ guest_name }},",
        "Your room will be ready for you on {{ arrival }}.",
        "If you expect to arrive late, or need help to find us, please let us know.",
        [("Arrival", "{{ arrival }}"), ("Departure", "{{ departure }}"), ("Nights", "{{ nights }}"), ("Booking", "{{ number }}")],
        "Have a good journey,",
    ),
    (
        "01980000-0000-7000-8000-000000000102", DAY, "es",
        "{{ hotel_name }}: todo está listo para su llegada",
        "Estimado/a {{ guest_name }}:",
        "Su habitación le espera el {{ arrival }}.",
        "Si prevé llegar tarde o necesita ayuda para encontrarnos, háganoslo saber.",
        [("Llegada", "{{ arrival }}"), ("Salida", "{{ departure }}"), ("Noches", "{{ nights }}"), ("Reserva", "{{ number }}")],
        "Buen viaje,",
    ),
    (
        "01980000-0000-7000-8000-000000000103", DAY, "pt",
        "{{ hotel_name }}: tudo pronto para a sua chegada",
        "Caro/a {{ guest_name }},",
        "O seu quarto espera por si: {{ arrival }}.",
        "Se prevê chegar tarde, ou precisa de ajuda para nos encontrar, diga-nos por favor.",
        [("Chegada", "{{ arrival }}"), ("Partida", "{{ departure }}"), ("Noites", "{{ nights }}"), ("Reserva", "{{ number }}")],
        "Boa viagem,",
    ),
]  # fmt: skip


def html_of(greeting, opening, request, facts, closing):
    rows = "\n".join(
        f'<tr><td style="padding:4px 16px 4px 0;color:#6b7280;">{label}</td><td style="padding:4px 0;">{value}</td></tr>'
        for label, value in facts
    )
    return (
        f'<p>{greeting}</p>\n<p>{opening}</p>\n<table role="presentation" style="margin:16px 0;">\n{rows}\n</table>\n'
        f"<p>{request}</p>\n<p>{closing}<br>{{{{ hotel_name }}}}</p>\n"
    )


def text_of(greeting, opening, request, facts, closing):
    rows = "\n".join(f"{label}: {value}" for label, value in facts)
    return f"{greeting}\n\n{opening}\n\n{rows}\n\n{request}\n\n{closing}\n{{{{ hotel_name }}}}\n"


INSERT_RULE = """
INSERT INTO reminders_rule
    (id, name, is_active, anchor, offset_days, offset_hours, send_at, window_hours, late_policy, room_types, sources,
    guests, "order")
VALUES (%s, %s, true, 'arrival', %s, 0, '10:00', 12, %s, '{}', '{}', 'any', 10)
"""
INSERT_TEMPLATE = "INSERT INTO reminders_template (id, rule_id, language, subject, html, text) VALUES (%s, %s, %s, %s, %s, %s)"


class Migration(migrations.Migration):
    dependencies = [("reminders", "0001_initial")]

    operations = [
        migrations.RunSQL(
            [(INSERT_RULE, rule) for rule in RULES]
            + [
                (INSERT_TEMPLATE, (id_, rule, language, subject, html_of(*parts), text_of(*parts)))
                for id_, rule, language, subject, *parts in TEMPLATES
            ],
            [
                ("DELETE FROM reminders_template WHERE rule_id IN (%s, %s)", (WEEK, DAY)),
                ("DELETE FROM reminders_rule WHERE id IN (%s, %s)", (WEEK, DAY)),
            ],
        ),
    ]
