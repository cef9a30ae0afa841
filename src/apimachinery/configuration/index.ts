export {
  ConfigurationError,
  type ConfigurationKind,
  type ConfigurationKinds,
  type DecodeOptions,
  decodeConfiguration,
  kindNotRegistered,
  type OpenConfiguration,
  openConfiguration,
} from './decode.ts';
