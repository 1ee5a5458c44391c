"""Webhook requests that mail providers send about a message to r1@example.com.

The requests have the formats that the providers document.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from django.test import Client

from reminders.models import Reminder
from tenants.models import Hotel

SECRET = "provider:a-password-of-some-length"
MAILGUN_KEY = "key-of-mailgun"
#: Settings of the Anymail library with secrets for all mail providers.
ANYMAIL = {
    "WEBHOOK_SECRET": SECRET, "AMAZON_SES_CLIENT_PARAMS": {"region_name": "eu-west-1"}, "BREVO_API_KEY": "x",
    "MAILGUN_API_KEY": MAILGUN_KEY, "POSTMARK_SERVER_TOKEN": "x", "RESEND_API_KEY": "x", "SPARKPOST_API_KEY": "x",
}  # fmt: skip
TO = "r1@example.com"
UNKNOWN_USER = "550 5.1.1 The email account that you tried to reach does not exist."
MOMENT, EPOCH = "2030-05-03T12:01:00Z", 1904040060

Data = dict[str, str]


def metadata(reminder: Reminder, hotel: Hotel) -> Data:
    return {"hotel": hotel.id.hex, "reminder": reminder.id.hex}


def post_event(provider: str, payload: object, *, secret: str = SECRET) -> int:
    """Send the event to the webhook of the platform, as the provider does, and return the HTTP status code."""
    basic = {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"} if secret else {}
    kind = payload.get("Type", "") if isinstance(payload, dict) else ""
    sns = {"X-Amz-Sns-Message-Type": kind, "X-Amz-Sns-Message-Id": "22b80b92"}
    client = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    response = client.post(
        f"/anymail/{provider}/tracking/", json.dumps(payload), content_type="application/json",
        headers={**basic, **(sns if provider == "amazon_ses" else {})},
    )  # fmt: skip
    return response.status_code


def postmark(data: Data, record: str = "Bounce", **more: Any) -> dict[str, Any]:
    """Return an event in the format of Postmark.

    The format is documented at https://postmarkapp.com/developer/webhooks/webhooks-overview
    """
    about: dict[str, dict[str, Any]] = {
        "Bounce": {
            "ID": 4323372036854775807, "Type": "HardBounce", "TypeCode": 1, "Name": "Hard bounce", "Email": TO,
            "Description": "The server was unable to deliver your message.", "Details": f"smtp;{UNKNOWN_USER}",
            "From": "no-reply@hotels.example", "BouncedAt": MOMENT, "DumpAvailable": True, "Inactive": True,
            "CanActivate": True, "Subject": "Your stay", "Content": "",
        },
        "Delivery": {"Recipient": TO, "DeliveredAt": MOMENT, "Details": "Test delivery webhook details"},
        "Open": {
            "FirstOpen": True, "Recipient": TO, "ReceivedAt": MOMENT, "Platform": "Mobile", "ReadSeconds": 5,
            "UserAgent": "Mozilla/5.0", "OS": {}, "Client": {}, "Geo": {},
        },
        "SubscriptionChange": {
            "Recipient": TO, "ChangedAt": MOMENT, "Origin": "Recipient", "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
        },
    }  # fmt: skip
    complaint = {"Type": "SpamComplaint", "TypeCode": 100001, "Name": "Spam complaint", "Details": ""}
    about["SpamComplaint"] = about["Bounce"] | complaint
    return {
        "RecordType": record, "MessageStream": "outbound", "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Tag": "", "ServerID": 23, "Metadata": data, **about[record], **more,
    }  # fmt: skip


def mailgun(data: Data, event: str = "failed", **more: Any) -> dict[str, Any]:
    """Return an event in the format of Mailgun.

    The format is documented at https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
    """
    stamp, token = "1529006854", "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    signature = hmac.new(MAILGUN_KEY.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    details: dict[str, Any] = {
        "severity": "permanent", "reason": "bounce", "log-level": "error", "storage": {},
        "delivery-status": {"code": 550, "message": UNKNOWN_USER, "description": "", "attempt-no": 1},
    } if event == "failed" else {}  # fmt: skip
    return {
        "signature": {"timestamp": stamp, "token": token, "signature": signature},
        "event-data": {
            "event": event, "id": "G9Bn5sl1TC6nu79C8C0bwg", "timestamp": 1529006854.329574, "recipient": TO,
            "recipient-domain": "example.com", "tags": [], "campaigns": [], "user-variables": data,
            "flags": {"is-test-mode": False},
            "message": {"headers": {"message-id": "2030@hotels.example", "to": TO}}, **details, **more,
        },
    }  # fmt: skip


def brevo(data: Data, event: str = "hard_bounce", **more: Any) -> dict[str, Any]:
    """Return an event in the format of Brevo.

    The format is documented at https://developers.brevo.com/docs/transactional-webhooks
    """
    return {
        "event": event, "email": TO, "id": 26224, "date": "2030-05-03 14:01:00", "ts": EPOCH,
        "message-id": "<203005031200.1@smtp-relay.mailin.fr>", "ts_event": EPOCH, "ts_epoch": EPOCH * 1000,
        "subject": "Your stay", "X-Mailin-custom": json.dumps(data), "template_id": 0, "tags": [],
        **({"reason": f" RecipientError: {UNKNOWN_USER}"} if event == "hard_bounce" else {}), **more,
    }  # fmt: skip


def resend(data: Data, kind: str = "bounced", **more: Any) -> dict[str, Any]:
    """Return an event in the format of Resend. The event contains the tags of the message, but not its headers.

    The format is documented at https://resend.com/docs/webhooks/event-types
    """
    about = {"bounced": {"bounce": {
        "message": "The recipient's email address is on the suppression list because it has a recent history of "
                   "producing hard bounces.",
        "subType": "Suppressed", "type": "Permanent",
    }}}  # fmt: skip
    return {
        "type": f"email.{kind}", "created_at": MOMENT,
        "data": {
            "email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "created_at": MOMENT, "message_id": "<1@amazonses.com>",
            "from": "Hotel <no-reply@hotels.example>", "to": [TO], "subject": "Your stay", "tags": data,
            **about.get(kind, {}), **more,
        },
    }  # fmt: skip


def sparkpost(data: Data, kind: str = "bounce", **more: Any) -> list[dict[str, Any]]:
    """Return an event in the format of SparkPost.

    The format is documented at https://developers.sparkpost.com/api/webhooks/
    """
    within = {"open": "track_event", "list_unsubscribe": "unsubscribe_event"}.get(kind, "message_event")
    details = {
        "bounce_class": "10",
        "error_code": "550",
        "raw_reason": UNKNOWN_USER,
        "reason": UNKNOWN_USER,
    }
    return [{"msys": {within: {
        "type": kind, "event_id": "92356927693813856", "timestamp": str(EPOCH), "message_id": "000443ee14578172be22",
        "transmission_id": "65832150921904138", "rcpt_to": TO, "raw_rcpt_to": TO, "rcpt_meta": data, "rcpt_tags": [],
        "subject": "Your stay", "msg_from": "sender@hotels.example", "subaccount_id": "7",
        **(details if kind in {"bounce", "out_of_band"} else {}), **more,
    }}}]  # fmt: skip


def amazon(data: Data, kind: str = "Bounce", **more: Any) -> dict[str, Any]:
    """Return an event in the format of Amazon SES.

    The format is documented at https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
    """
    about: dict[str, dict[str, Any]] = {
        "Bounce": {
            "bounceType": "Permanent", "bounceSubType": "General", "timestamp": MOMENT, "feedbackId": "01000157c44f",
            "bouncedRecipients": [
                {"emailAddress": TO, "action": "failed", "status": "5.1.1", "diagnosticCode": f"smtp; {UNKNOWN_USER}"}
            ],
        },
        "Complaint": {
            "complainedRecipients": [{"emailAddress": TO}], "timestamp": MOMENT, "feedbackId": "01000157c44f",
            "userAgent": "Amazon SES Mailbox Simulator", "complaintFeedbackType": "abuse",
        },
        "Delivery": {"timestamp": MOMENT, "recipients": [TO], "smtpResponse": "250 2.6.0 Message received"},
        "DeliveryDelay": {
            "timestamp": MOMENT, "delayType": "TransientCommunicationFailure", "expirationTime": MOMENT,
            "delayedRecipients": [{"emailAddress": TO, "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 away"}],
        },
        "Open": {"ipAddress": "192.0.2.1", "timestamp": MOMENT, "userAgent": "Mozilla/5.0"},
    }  # fmt: skip
    inside = kind[0].lower() + kind[1:]
    event = {
        "eventType": kind, inside: about[kind] | more,
        "mail": {
            "timestamp": MOMENT, "source": "no-reply@hotels.example", "messageId": "EXAMPLE7c191be45",
            "destination": [TO], "headersTruncated": False,
            "headers": [{"name": "X-Metadata", "value": json.dumps(data)}],
        },
    }  # fmt: skip
    return {
        "Type": "Notification", "MessageId": "22b80b92", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:hotels",
        "Subject": "Amazon SES Email Event Notification", "Message": json.dumps(event), "Timestamp": MOMENT,
        "SignatureVersion": "1", "Signature": "EXAMPLE", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/1.pem",
    }  # fmt: skip


def amazon_subscribes() -> dict[str, Any]:
    """Return the request by which Amazon SNS asks the webhook to confirm the subscription.

    The format is documented at https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
    """
    return {
        "Type": "SubscriptionConfirmation", "MessageId": "22b80b92", "Token": "2336412f37fb687f5d51e6e2425c464de257eb",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:hotels", "Timestamp": MOMENT,
        "Message": "You have chosen to subscribe to the topic.", "SignatureVersion": "1", "Signature": "EXAMPLE",
        "SubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription",
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/1.pem",
    }  # fmt: skip


SHAPES: dict[str, Callable[..., Any]] = {
    "amazon_ses": amazon, "brevo": brevo, "mailgun": mailgun, "postmark": postmark, "resend": resend,
    "sparkpost": sparkpost,
}  # fmt: skip
