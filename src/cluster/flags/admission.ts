/** Flags of admission. Upstream: apiserver pkg/server/options/admission.go. */
import { enabledPlugins, pluginNames, readAdmissionControl } from '#apiserver';
import { UserError } from '#base';
import type { FlagGroup, GivenFlags } from './flag.ts';

const enableFlag = 'enable-admission-plugins';
const disableFlag = 'disable-admission-plugins';
const controlFlag = 'admission-control';
const configFlag = 'admission-control-config-file';

export const admissionFlags: FlagGroup = {
  title: 'Admission:',
  flags: [
    {
      name: enableFlag,
      value: 'names',
      help: 'admission plugins that are off by default (default: NodeRestriction)',
    },
    { name: disableFlag, value: 'names', help: 'admission plugins that are on by default' },
    { name: controlFlag, value: 'names', help: 'exactly these plugins (deprecated)' },
    { name: configFlag, value: 'path', help: 'an AdmissionConfiguration', isPath: true },
  ],
  settings(given) {
    const { enable, disable } = switches(given);
    const config = given.path(configFlag);
    const enabled = enabledPlugins({ enable: enable ?? [], disable: disable ?? [] });
    return {
      apiServer: {
        ...(enable && { enableAdmissionPlugins: enable }),
        ...(disable && { disableAdmissionPlugins: disable }),
        ...(config !== undefined && { admissionControl: readAdmissionControl(config, enabled) }),
      },
    };
  },
};

interface Switches {
  readonly enable: readonly string[] | undefined;
  readonly disable: readonly string[] | undefined;
}

function switches(given: GivenFlags): Switches {
  const exactly = given.list(controlFlag);
  const enable = given.list(enableFlag);
  const disable = given.list(disableFlag);
  if (!exactly || exactly.length === 0) return { enable, disable };
  if (enable || disable) {
    const flags = 'enable-admission-plugins/disable-admission-plugins';
    throw new UserError(`admission-control and ${flags} flags are mutually exclusive`);
  }
  const known = new Set(pluginNames);
  const unknown = exactly.find(name => !known.has(name));
  if (unknown !== undefined) throw new UserError(`admission-control plugin ${JSON.stringify(unknown)} is unknown`);
  const byDefault = enabledPlugins({ enable: [], disable: [] });
  return {
    enable: exactly.filter(name => !byDefault.includes(name)),
    disable: byDefault.filter(name => !exactly.includes(name)),
  };
}
