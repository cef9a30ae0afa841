export {
  jsonToYaml,
  parseYaml,
  parseYamlOrJson,
  readAppliedConfiguration,
  type YamlReadResult,
  yamlStrictError,
  yamlToJson,
} from './read.ts';
export { writeYaml } from './write.ts';
