/**
 * The only messages that may come with code 500, each as upstream gives it. The fuzzer fails on any other.
 */
export const allowedServerErrors: ReadonlyArray<{ readonly text: RegExp; readonly upstream: string }> = [
  {
    text: /^resourceVersion should not be set on objects to be created$/,
    upstream: 'apiserver pkg/storage/etcd3/store.go: an error of the store without a Status',
  },
  {
    text: /resourceVersion: Invalid value: ".*": strconv\.ParseUint/s,
    upstream: 'apiserver pkg/storage/api_object_versioner.go, of a GET',
  },
  {
    text: /strconv\.ParseUint: parsing ".*": (invalid syntax|value out of range)/s,
    upstream: 'apiserver pkg/registry/generic/registry/store.go Update: the resourceVersion of a PUT or patch',
  },
  {
    text: /failed to create typed patch object/,
    upstream: 'apimachinery pkg/util/managedfields/internal/structuredmerge.go: an apply that does not fit its type',
  },
  {
    text: /^no preferred addresses found; known addresses: /,
    upstream: 'pkg/util/node/node.go NoMatchError: logs and proxies of a node that says nothing of itself',
  },
  {
    text: /^(Get "https:\/\/|error dialing backend: )/,
    upstream:
      'apiserver pkg/registry/generic/rest/streamer.go, apimachinery pkg/util/proxy: a kubelet that is not there',
  },
  {
    text: /expected a \[\]interface \{\}, but received a /,
    upstream: 'apimachinery pkg/util/strategicpatch: a directive of a wrong type',
  },
  {
    text: /target\.(kind|name): /,
    upstream: 'pkg/registry/core/pod/storage/storage.go BindingREST: errors as one without a Status',
  },
  {
    text: /unknown patch type: /,
    upstream: 'apimachinery pkg/util/strategicpatch/patch.go handleDirectiveInMergeMap',
  },
  {
    text: /unable to find api field in struct \S+ for the json field/,
    upstream: 'apimachinery pkg/util/strategicpatch/meta.go: a directive for a field that the type does not have',
  },
  {
    text: /map: map\[.*\] does not contain declared merge key: /s,
    upstream: 'apimachinery pkg/util/mergepatch/errors.go ErrNoMergeKey',
  },
  {
    text: /the spec replicas field ".*" does not exist$/s,
    upstream: 'apiextensions-apiserver pkg/registry/customresource/etcd.go ScaleREST',
  },
  {
    text: /list element types are not identical: /,
    upstream: 'apimachinery pkg/util/strategicpatch/patch.go sliceElementType',
  },
  {
    text: /failed to create RequestInfo: unable to determine kind and namespace from url/,
    upstream: 'apiserver pkg/endpoints/filters/requestinfo.go: a path that begins with watch or proxy and breaks off',
  },
];
