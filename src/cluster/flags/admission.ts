/** Flags of admission. Upstream: apiserver pkg/server/options/admission.go. */
import { enabledPlugins, readAdmissionControl } from '#apiserver';
import type { FlagGroup } from './flag.ts';

const enableFlag = 'enable-admission-plugins';
const disableFlag = 'disable-admission-plugins';
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
    { name: configFlag, value: 'path', help: 'an AdmissionConfiguration', isPath: true },
  ],
  settings(given) {
    const enable = given.list(enableFlag);
    const disable = given.list(disableFlag);
    const config = given.path(configFlag);
    enabledPlugins({ enable: enable ?? [], disable: disable ?? [] });
    return {
      apiServer: {
        ...(enable && { enableAdmissionPlugins: enable }),
        ...(disable && { disableAdmissionPlugins: disable }),
        ...(config !== undefined && { admissionControl: readAdmissionControl(config) }),
      },
    };
  },
};
