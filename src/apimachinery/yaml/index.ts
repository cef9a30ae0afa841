export {
  jsonToYaml,
  parseYaml,
  parseYamlOrJson,
  readAppliedConfiguration,
  readYaml,
  type YamlReadResult,
  yamlStrictError,
  yamlToJson,
} from './read.ts';
export { writeYaml } from './write.ts';
