export {
  parseYaml,
  parseYamlOrJson,
  readAppliedConfiguration,
  readYaml,
  type YamlReadResult,
  yamlStrictError,
  yamlToJson,
} from './read.ts';
export { yamlText } from './text.ts';
export { writeYaml } from './write.ts';
