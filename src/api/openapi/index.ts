/** OpenAPI of the built-in API: documents as JSON, built when asked for. The API server keeps their bytes and hashes. */
export { collectDescriptions, describe } from './descriptions.ts';
export { registeredVersions } from './facts.gen.ts';
export { encodeOpenapiV2 } from './gnostic.ts';
export { encodeOpenapiV3 } from './gnostic-v3.ts';
export { type OpenapiV2Document, openapiV2 } from './v2.ts';
export {
  customOpenapiV3,
  type OpenapiV3Document,
  openapiDefinitions,
  openapiV3,
  openapiV3Names,
} from './v3.ts';
