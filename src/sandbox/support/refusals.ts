/** What was asked for names something that this sandbox does not have; over HTTP 404. */
export class NotThere extends Error {
  override readonly name = 'NotThere'
}

/** What was asked for cannot be done, by its form or as things are; over HTTP 400. */
export class Refused extends Error {
  override readonly name = 'Refused'
}
