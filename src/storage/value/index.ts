/** Encryption at rest: forms of values that upstream writes and reads too. */
export { cbcTransformer, gcmTransformer } from './aes.ts';
export { KmsPlugin } from './envelope/kms-plugin.ts';
export { kmsMethods, kmsService } from './envelope/kms-service.ts';
export { EnvelopeMetrics, hashOf, TransformationMetrics } from './metrics.ts';
export { secretboxTransformer } from './secretbox.ts';
export {
  aggregate,
  identityTransformer,
  type Opened,
  type PrefixTransformer,
  prefixTransformers,
  type Transformer,
  type ValueContext,
} from './transformer.ts';
