/**
 * The types of the built-in kinds of Kubernetes v1.36, by their Go names: `Pod`, `Deployment`, `LabelSelector`. Where
 * versions or groups share a name, the others carry group and version: `Event` is core's, `EventsV1Event` the one of
 * events.k8s.io; `HorizontalPodAutoscaler` is that of autoscaling/v2. Read-only, because objects from caches are frozen;
 * `Draft<Pod>` is what one may change.
 *
 * Optional is what may be absent from an object as it is decoded. `spec` is always there (Go writes it even when
 * empty), other structs and `status` are not.
 */
export type {
  Json,
  JsonObject,
  KubeList,
  KubeObject,
  ListMeta,
  ManagedFieldsEntry,
  ObjectMeta,
  OwnerReference,
  Status,
  StatusCause,
  StatusDetails,
} from '#apimachinery';
export type * from './types/index.gen.ts';
export type * from './types/scalars.ts';
