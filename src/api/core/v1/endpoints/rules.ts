/** Endpoints. Upstream: pkg/apis/core/v1/defaults.go (SetDefaults_Endpoints). */
import type { KindRules } from '../../../kind.ts';
import type { Endpoints } from '../../../types.ts';

export const endpointsRules: KindRules<Endpoints> = {
  defaults({ subsets }) {
    for (const subset of subsets ?? [])
      for (const port of subset.ports ?? []) if (!port.protocol) port.protocol = 'TCP';
  },
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
