/** The protobuf codec: table-driven, between JSON-shaped objects and upstream's bytes. */
export { readProtobuf } from './decode.ts';
export { writeProtobuf } from './encode.ts';
export {
  isProtobuf,
  type ProtobufEnvelope,
  type ProtobufWatchEvent,
  protobufListPieces,
  readEnvelope,
  readProtobufObject,
  WatchFrameReader,
  writeProtobufItems,
  writeProtobufObject,
  writeWatchFrame,
} from './envelope.ts';
export { WireWriter } from './writer.ts';
