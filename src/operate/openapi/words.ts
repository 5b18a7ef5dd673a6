/** What each tag of the document is about. */
export const tags: Readonly<Record<string, string>> = {
  orders: 'Background checks',
  vendor_orders: "What the vendor's system tells this service",
  deliveries: 'Calls to Feishu: what was, is and could not be sent',
  events: 'Events that Feishu pushed',
  accounts: 'Customers that bound the vendor, and what Feishu shows of the vendor there',
  agreements: 'Tripartite agreements',
  holds: 'What is parked',
  findings: 'What differs between Feishu or the vendor and this service',
  sweeps: 'Comparisons with the lists of orders in Feishu',
  quotas: 'Calls to Feishu over time, against the windows',
  audit: 'Who did what to what',
  service: 'Everything beside the API of the operators',
}

export const about = `Below \`/v1\` the API of the operators: JSON; ids are strings, times RFC 3339 in UTC with milliseconds, Feishu's own fields as Feishu has them.

Lists are newest first and take \`limit\` and \`cursor\`; a cursor stays good while rows come and change: what was there when the first page was read comes once. Every path that takes GET takes HEAD. Another method is 405 with \`Allow\`.

Errors are \`application/problem+json\` (RFC 9457). Enumerations and members of answers are only ever added to.

Writes take an \`Idempotency-Key\`, kept for 24 hours: a repeat gets the first answer with \`Idempotency-Replayed: true\`, another request under the same key 422, and a repeat while the first still runs 409.

Answers to a valid key carry \`RateLimit\` and \`RateLimit-Policy\`. Notices of the vendor are counted apart from all other requests.`
