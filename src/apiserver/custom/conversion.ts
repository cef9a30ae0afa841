/**
 * From one version of a custom kind to another: by nothing but the apiVersion, or by a webhook. Upstream:
 * apiextensions-apiserver pkg/apiserver/conversion/{converter,nop_converter,webhook_converter}.go.
 */
import type { CustomResourceDefinition } from '#api/types';
import {
  aggregateText,
  FieldPath,
  type KubeObject,
  parseApiVersion,
  StatusError,
  validateAnnotations,
  validateLabels,
  writeOrdered,
} from '#apimachinery';
import type { WebhookClient, WebhookTarget } from './webhook-client.ts';

export interface Converter {
  /** Whether {@link now} may be asked. */
  readonly immediate: boolean;
  /** Objects of any versions of the kind in another one, in order; those that have it already stay. Throws 500. */
  convert(objects: readonly KubeObject[], apiVersion: string): Promise<KubeObject[]>;
  /** The same for one, without waiting. */
  now(object: KubeObject, apiVersion: string): KubeObject;
}

const failure = (message: string): StatusError => new StatusError({ code: 500, message });

/** Throws 500 when `crd` does not name the version of an object. */
function versionChecker(crd: CustomResourceDefinition): (object: KubeObject) => void {
  const valid = new Set(crd.spec.versions.map(({ name }) => `${crd.spec.group}/${name}`));
  return ({ apiVersion }) => {
    if (valid.has(apiVersion)) return;
    throw failure(`request to convert CR from an invalid group/version: ${apiVersion}`);
  };
}

export function converterOf(crd: CustomResourceDefinition, client: WebhookClient): Converter {
  const check = versionChecker(crd);
  const { strategy, webhook } = crd.spec.conversion ?? { strategy: 'None' };
  if (strategy === 'Webhook' && webhook?.clientConfig) {
    const target = { name: `conversion_webhook_for_${crd.metadata.name}`, ...webhook.clientConfig };
    const versions = webhook.conversionReviewVersions ?? [];
    const convert = webhookConverter(client, target as WebhookTarget, versions);
    return {
      immediate: false,
      now: () => {
        throw new Error('a webhook takes its time');
      },
      async convert(objects, apiVersion) {
        for (const object of objects) check(object);
        return convert(objects, apiVersion);
      },
    };
  }
  const now = (object: KubeObject, apiVersion: string): KubeObject => {
    check(object);
    return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
  };
  return {
    immediate: true,
    now,
    convert: async (objects, apiVersion) => objects.map(object => now(object, apiVersion)),
  };
}

interface Review {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly response?: {
    readonly uid?: string;
    readonly convertedObjects?: readonly unknown[];
    readonly result?: { readonly status?: string; readonly message?: string };
  };
}

function webhookConverter(
  client: WebhookClient,
  target: WebhookTarget,
  reviewVersions: readonly string[],
): (objects: readonly KubeObject[], apiVersion: string) => Promise<KubeObject[]> {
  return async (objects, apiVersion) => {
    const sent = objects.filter(object => object.apiVersion !== apiVersion);
    const [first] = sent;
    if (!first) return [...objects];
    const version = reviewVersions.find(each => each === 'v1' || each === 'v1beta1');
    if (version === undefined) throw failure('no supported conversion review versions');
    const { group, version: from } = parseApiVersion(first.apiVersion);
    const about = `conversion webhook for ${group}/${from}, Kind=${first.kind}`;
    const uid = client.uid();
    let made: readonly unknown[];
    try {
      const answer = await client.post(target, {
        kind: 'ConversionReview',
        apiVersion: `apiextensions.k8s.io/${version}`,
        request: { uid, desiredAPIVersion: apiVersion, objects: sent },
      });
      made = convertedOf(answer as Review, version, uid);
    } catch (error) {
      throw failure(`${about} failed: ${(error as Error).message}`);
    }
    if (made.length !== sent.length) {
      throw failure(`${about} returned ${made.length} objects, expected ${sent.length}`);
    }
    let at = 0;
    const one = objects.length === 1;
    return objects.map(object => {
      if (object.apiVersion === apiVersion) return object;
      const index = at++;
      return checked(object, made[index], apiVersion, { about, index, one });
    });
  };
}

/** The objects of an answer; throws what is wrong with it. */
function convertedOf(answer: Review, version: string, uid: string): readonly unknown[] {
  const { response } = answer;
  if (version === 'v1') {
    const wanted = 'apiextensions.k8s.io/v1, Kind=ConversionReview';
    const found = `${answer.apiVersion ?? ''}, Kind=${answer.kind ?? ''}`;
    if (found !== wanted) throw new Error(`expected webhook response of ${wanted}, got ${found}`);
  }
  if (!response) throw new Error('no response provided');
  if (version === 'v1' && response.uid !== uid) {
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  }
  const { status = '', message = '' } = response.result ?? {};
  if (status !== 'Success') throw new Error(message || `response.result.status was '${status}', not 'Success'`);
  return response.convertedObjects ?? [];
}

interface Place {
  readonly about: string;
  readonly index: number;
  /** A single object was to be converted, of which the texts speak a little differently. */
  readonly one: boolean;
}

/** A converted object with the metadata that a conversion may not change. Throws 500. */
function checked(original: KubeObject, made: unknown, apiVersion: string, { about, index, one }: Place): KubeObject {
  const what = `${about} returned invalid ${one ? '' : 'converted '}object at index ${index}`;
  if (made === null || typeof made !== 'object' || Array.isArray(made)) {
    throw failure(`${what}: json: cannot unmarshal into Go value of type map[string]interface {}`);
  }
  const object = made as KubeObject;
  if (!object.kind) throw failure(`${what}: Object 'Kind' is missing in '${writeOrdered(made)}'`);
  if (object.apiVersion !== apiVersion) {
    throw failure(`${what}: invalid groupVersion (expected ${apiVersion}, received ${object.apiVersion ?? ''})`);
  }
  if (object.kind !== original.kind) {
    throw failure(`${what}: invalid kind (expected ${original.kind}, received ${object.kind})`);
  }
  const refused = one ? `${about} returned invalid object` : what;
  for (const [key, text] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const want = original.metadata[key] ?? '';
    const have = object.metadata?.[key] ?? '';
    if (want !== have) throw failure(`${refused}: must have the same ${text}: ${want} != ${have}`);
  }
  try {
    return { ...object, metadata: restored(original, object) };
  } catch (error) {
    const where = one ? '' : ` in object at index ${index}`;
    throw failure(`${about} returned invalid metadata${where}: ${(error as Error).message}`);
  }
}

/** The original's metadata with the labels and annotations of the converted. */
function restored(original: KubeObject, converted: KubeObject): KubeObject['metadata'] {
  const own: unknown = converted.metadata;
  if (own === undefined) throw new Error('missing metadata in converted object');
  const metadata: Record<string, unknown> = { ...original.metadata };
  for (const name of ['labels', 'annotations'] as const) {
    const map: unknown = converted.metadata[name];
    if (map === undefined || map === null) {
      delete metadata[name];
      continue;
    }
    if (typeof map !== 'object') throw new Error(`invalid metadata.${name} of type ${typeof map} in converted object`);
    for (const [key, value] of Object.entries(map)) {
      if (typeof value === 'string') continue;
      throw new Error(`metadata.${name}[${key}] must be a string, but is ${typeof value} in converted object`);
    }
    const texts = map as Readonly<Record<string, string>>;
    const errors =
      name === 'labels'
        ? validateLabels(texts, FieldPath.of('metadata', 'labels'))
        : validateAnnotations(texts, FieldPath.of('metadata', 'annotation'));
    if (errors.length > 0) throw new Error(aggregateText(errors));
    metadata[name] = map;
  }
  return metadata as KubeObject['metadata'];
}
