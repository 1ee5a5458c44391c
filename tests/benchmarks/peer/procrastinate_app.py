"""The application of procrastinate with one task that does nothing, for the benchmark `dlq-claim`."""

import os

from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_DIRECT_URL"]))


@app.task(name="nothing")
async def nothing(number: int) -> None:
    pass
