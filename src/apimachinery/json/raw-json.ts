/**
 * JSON text in place of the value that it stands for: for objects that are only read in order to be written again, in
 * an encoding that carries this part of them as JSON (`FieldsV1` in protobuf).
 */
export class RawJson {
  /** UTF-8, valid JSON. Not to be changed. */
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}
