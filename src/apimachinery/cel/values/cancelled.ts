/** Ends an evaluation from within; no expression can absorb it. */
export class Cancelled extends Error {}

/** Said of whatever costs more than it may, also where the work itself is too much before it is priced. */
export const costExceeded = 'operation cancelled: actual cost limit exceeded';
