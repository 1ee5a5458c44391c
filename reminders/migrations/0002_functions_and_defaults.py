"""The database functions and triggers of reminders, and the rows that every hotel starts with.

A new hotel has two rules, with templates in English, Spanish and Portuguese. The rows have fixed ids, so a hotel that is
created from the template script has the same rows as a hotel that was migrated. Staff edit these rows, so later
migrations must not change them.
"""

from django.db import migrations

from audit.row_changes.triggers import track_rows
from tenants.database.function_migrations import InstallFunctions
from tenants.queue.periodic_tasks import add_periodic_tasks

#: task: (every, period, description in the admin).
PERIODIC_TASKS = {
    "reminders.tasks.count_all_mails": (3600, "seconds", "Counts the e-mails of each hotel for the platform"),
}

ADD_TRIGGERS = """
CREATE TRIGGER set_changed_in BEFORE UPDATE ON reminders_reservation
    FOR EACH ROW EXECUTE FUNCTION reminders_set_changed_in();
CREATE TRIGGER set_revision BEFORE INSERT OR UPDATE ON reminders_rule
    FOR EACH ROW EXECUTE FUNCTION reminders_set_revision();
CREATE TRIGGER set_revision BEFORE INSERT OR UPDATE ON reminders_template
    FOR EACH ROW EXECUTE FUNCTION reminders_set_revision();
CREATE TRIGGER set_revision BEFORE INSERT OR UPDATE ON reminders_emailbranding
    FOR EACH ROW EXECUTE FUNCTION reminders_set_revision();
"""
REMOVE_TRIGGERS = """
DROP TRIGGER set_revision ON reminders_emailbranding;
DROP TRIGGER set_revision ON reminders_template;
DROP TRIGGER set_revision ON reminders_rule;
DROP TRIGGER set_changed_in ON reminders_reservation;
"""

WEEK = "01980000-0000-7000-8000-000000000007"
DAY = "01980000-0000-7000-8000-000000000001"

RULES = [
    # A guest who books less than a week ahead receives the second reminder only.
    (WEEK, "7 days before arrival", 7, "skip"),
    (DAY, "1 day before arrival", 1, "send_now"),
]

TEMPLATES = [
    (
        "01980000-0000-7000-8000-000000000701", WEEK, "en",
        "Your stay at {{ hotel_name }} is a week away",
        "Dear {{ guest_name }},",
        "We look forward to welcoming you on {{ arrival }}.",
        "If your plans have changed, or if there is anything we can prepare for you, please let us know.",
        [("Arrival", "{{ arrival }}"), ("Departure", "{{ departure }}"), ("Nights", "{{ nights }}"), ("Booking", "{{ number }}")],
        "See you soon,",
    ),
    (
        "01980000-0000-7000-8000-000000000702", WEEK, "es",
        "Falta una semana para su estancia en {{ hotel_name }}",
        "Estimado/a {{ guest_name }}:",
        "Será un placer recibirle el {{ arrival }}.",
        "Si sus planes han cambiado o si podemos preparar algo para usted, háganoslo saber.",
        [("Llegada", "{{ arrival }}"), ("Salida", "{{ departure }}"), ("Noches", "{{ nights }}"), ("Reserva", "{{ number }}")],
        "Hasta pronto,",
    ),
    (
        "01980000-0000-7000-8000-000000000703", WEEK, "pt",
        "Falta uma semana para a sua estadia em {{ hotel_name }}",
        "Caro/a {{ guest_name }},",
        "Teremos muito gosto em recebê-lo/a no dia da sua chegada, {{ arrival }}.",
        "Se os seus planos mudaram, ou se podemos preparar algo para si, por favor diga-nos.",
        [("Chegada", "{{ arrival }}"), ("Partida", "{{ departure }}"), ("Noites", "{{ nights }}"), ("Reserva", "{{ number }}")],
        "Até breve,",
    ),
    (
        "01980000-0000-7000-8000-000000000101", DAY, "en",
        "{{ hotel_name }}: everything is ready for your arrival",
        "Dear {{ guest_name }},",
        "Your room will be ready for you on {{ arrival }}.",
        "If you expect to arrive late, or need help finding us, please let us know.",
        [("Arrival", "{{ arrival }}"), ("Departure", "{{ departure }}"), ("Nights", "{{ nights }}"), ("Booking", "{{ number }}")],
        "Safe travels,",
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
        "O seu quarto estará pronto no dia da sua chegada, {{ arrival }}.",
        "Se prevê chegar tarde, ou precisa de ajuda para nos encontrar, por favor diga-nos.",
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
INSERT_TEMPLATE = """
INSERT INTO reminders_template (id, rule_id, language, subject, html, text) VALUES (%s, %s, %s, %s, %s, %s)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("reminders", "0001_initial"),
        # The functions call those of these apps.
        ("audit", "0003_row_changes"),
        ("tenants", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        InstallFunctions(
            migration="0002_functions_and_defaults",
            functions=[
                "reminders_claim",
                "reminders_record_progress",
                "reminders_set_changed_in",
                "reminders_set_revision",
            ],
        ),
        migrations.RunSQL(ADD_TRIGGERS, REMOVE_TRIGGERS),
        # The rows below are recorded too, because the triggers exist before the rows.
        track_rows(
            "reminders_rule",
            model_name="rule",
            kind="rule",
            plain=[
                "name",
                "is_active",
                "anchor",
                "offset_days",
                "offset_hours",
                "send_at",
                "window_hours",
                "late_policy",
                "room_types",
                "sources",
                "min_nights",
                "max_nights",
                "guests",
                "order",
                "daily_limit",
                "revision",
            ],
        ),
        track_rows(
            "reminders_template",
            model_name="template",
            kind="template",
            plain=["rule_id", "language", "subject", "html", "text", "revision"],
        ),
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
        add_periodic_tasks(PERIODIC_TASKS),
    ]
