/**
 * What a refusal tells of an object that the policy wants no bodies of. A patch that makes no object of its kind is
 * refused with all of what it made; an event at level Metadata says that and why, and leaves the object out.
 *
 * Deviation: upstream's event has the object, so the value of a Secret can come into a log of metadata.
 */
import type { ResponseStatus } from './event.ts';

const quotedObject = /Invalid value: "(?:[^"\\]|\\.)*"/g;
const withheld = 'Invalid value';

/** The status without values that are whole objects. */
export function withoutObjects(status: ResponseStatus): ResponseStatus {
  const { message, details } = status;
  if (!details?.causes?.some(({ field }) => field === 'patch')) return status;
  const bare = (text: string): string => text.replace(quotedObject, withheld);
  const causes = details.causes.map(cause => ({ ...cause, ...(cause.message && { message: bare(cause.message) }) }));
  return { ...status, ...(message !== undefined && { message: bare(message) }), details: { ...details, causes } };
}
