/** Flags of encryption at rest. Upstream: apiserver pkg/server/options/etcd.go. */
import { readEncryptionConfig } from '#apiserver';
import { UserError } from '#base';
import type { FlagGroup } from './flag.ts';

const configFlag = 'encryption-provider-config';
const reloadFlag = 'encryption-provider-config-automatic-reload';

export const encryptionFlags: FlagGroup = {
  title: 'Encryption at rest:',
  flags: [
    { name: configFlag, value: 'path', help: 'an EncryptionConfiguration', isPath: true },
    { name: reloadFlag, help: 'read that file again when it changes' },
  ],
  settings(given) {
    const config = given.path(configFlag);
    const reload = given.boolean(reloadFlag);
    if (reload && !config) throw new UserError(`--${reloadFlag} must be set with --${configFlag}`);
    if (config) readEncryptionConfig(config, reload ?? false);
    return {
      apiServer: {
        ...(config && { encryptionProviderConfig: config }),
        ...(reload !== undefined && { encryptionProviderConfigAutomaticReload: reload }),
      },
    };
  },
};
