/** The apimachinery layer's one error class for input that cannot be read; the API's edge turns it into a Status. */

export type InputErrorCode =
  | 'selector'
  | 'quantity'
  | 'time'
  | 'resourceVersion'
  | 'json'
  | 'base64'
  | 'yaml'
  /** 400 BadRequest with the message. */
  | 'patch'
  /** 413. */
  | 'patchTooLarge'
  /** 422 whose message upstream does not show: `the server rejected our request due to an error in our request`. */
  | 'patchRejected'
  /** 500 with the message alone. */
  | 'patchFailed'
  | 'schema'
  | 'protobuf';

/** Input that a client sent and that does not parse. `message` is upstream's text, to be shown as it is. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly code: InputErrorCode;

  constructor(code: InputErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Length of `text` in UTF-8 bytes: what Go's `len` counts. */
export function byteLength(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text);
  return text.length;
}
