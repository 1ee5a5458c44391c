"""The adapter for QloApps 1.6, through its web service (https://devdocs.qloapps.com/webservice/).

These properties of the web service decide how the adapter works:

- The answer to a POST request can be an error although the booking was made. So each error after the request was sent
  means that the outcome is unknown, except for the statuses with which QloApps refuses a request before it books.
- Requests at the same time can sell one room twice without an error. The synchronization finds such bookings.
- Availability is requested with XML. Bookings are sent as JSON.
- A PHP notice can precede the JSON of a response.
- The times of bookings have no offset. They are in the time zone of the shop, which must be that of the hotel.
"""
