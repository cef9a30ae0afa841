/**
 * Stored objects of built-in kinds, read in order to be written as protobuf at once. The fields that managers own are
 * JSON in both forms and a good part of an object: they are cut out of the text before it is parsed and stand in the
 * object as the bytes that they were. An object of which only the metadata is asked for is parsed no further.
 */
import { type Draft, type KubeObject, RawJson } from '#apimachinery';

const managersMark = Buffer.from('"managedFields":[');
const fieldsMark = Buffer.from('"fieldsV1":{');
/** The end of the last entry, of the entries and of the metadata, whose last field they are. */
const metadataEnd = Buffer.from('}]}');
/** What stands in the place of what was cut out. */
const cut = '"fieldsV1":0';

const [quote, backslash, opening, closing] = [0x22, 0x5c, 0x7b, 0x7d];

/** Where the object that begins at `from` ends; its text is that of a whole JSON document. */
function endOfObject(bytes: Uint8Array, from: number): number {
  let depth = 0;
  for (let at = from; ; at++) {
    const byte = bytes[at];
    if (byte === opening) depth++;
    else if (byte === closing) {
      if (--depth === 0) return at + 1;
    } else if (byte === quote) {
      for (at++; bytes[at] !== quote; at++) if (bytes[at] === backslash) at++;
    }
  }
}

/** The object in stored bytes, as of `revision`. `onlyMetadata`: the rest of it may be missing. */
export function wireObject(bytes: Buffer, revision: number, onlyMetadata: boolean): KubeObject {
  const object = withRawFields(bytes, onlyMetadata) ?? (JSON.parse(bytes.toString()) as Draft<KubeObject>);
  object.metadata.resourceVersion = String(revision);
  return object as KubeObject;
}

/** Undefined for a text that was cut off in the middle of something. */
function parsed(text: string): Draft<KubeObject> | undefined {
  try {
    return JSON.parse(text) as Draft<KubeObject>;
  } catch {
    return undefined;
  }
}

/** Undefined where what looks like owned fields is something else, which only happens by intent. */
function withRawFields(bytes: Buffer, onlyMetadata: boolean): Draft<KubeObject> | undefined {
  const managers = bytes.indexOf(managersMark);
  if (managers < 0) return undefined;
  const cuts: RawJson[] = [];
  let text = '';
  let from = 0;
  for (let at = bytes.indexOf(fieldsMark, managers); at >= 0; at = bytes.indexOf(fieldsMark, from)) {
    const begin = at + fieldsMark.length - 1;
    text += bytes.toString('utf8', from, at) + cut;
    from = endOfObject(bytes, begin);
    cuts.push(new RawJson(bytes.subarray(begin, from)));
  }
  const end = onlyMetadata ? bytes.indexOf(metadataEnd, from) : -1;
  const object =
    (end < 0 ? undefined : parsed(`${text}${bytes.toString('utf8', from, end)}}]}}`)) ??
    (JSON.parse(text + bytes.toString('utf8', from)) as Draft<KubeObject>);
  let placed = 0;
  for (const entry of object.metadata?.managedFields ?? []) {
    if ((entry.fieldsV1 as unknown) === 0) (entry as { fieldsV1: unknown }).fieldsV1 = cuts[placed++];
  }
  return placed === cuts.length ? object : undefined;
}
