/**
 * Swagger 2.0 as the protobuf message openapi.v2.Document, which Go clients ask for. Messages are written from their
 * end, so fields go by descending number. Upstream: google/gnostic-models openapiv2/OpenAPIv2.proto.
 */
import { WireWriter } from '#apimachinery';
import {
  any,
  double,
  entriesOf,
  extensions,
  flag,
  message,
  type Node,
  named,
  number64,
  text,
  texts,
  type Write,
} from './gnostic-writer.ts';
import type { OpenapiV2Document } from './v2.ts';

function schema(node: Node): Write {
  return writer => {
    extensions(writer, 31, node);
    if (node['example'] !== undefined) message(writer, 30, any(node['example']));
    if (node['externalDocs']) message(writer, 29, externalDocs(node['externalDocs'] as Node));
    flag(writer, 27, node['readOnly']);
    if (node['properties']) {
      const entries = entriesOf(node['properties']).map(([key, each]) => [key, schema(each as Node)] as const);
      message(writer, 25, inner => named(inner, 1, entries));
    }
    for (const each of ((node['allOf'] as readonly Node[] | undefined) ?? []).toReversed())
      message(writer, 24, schema(each));
    if (node['items']) message(writer, 23, inner => message(inner, 1, schema(node['items'] as Node)));
    if (node['type']) message(writer, 22, inner => texts(inner, 1, [node['type']].flat()));
    const additional = node['additionalProperties'];
    if (additional !== undefined) message(writer, 21, additionalProperties(additional));
    for (const each of ((node['enum'] as readonly unknown[] | undefined) ?? []).toReversed())
      message(writer, 20, any(each));
    texts(writer, 19, node['required']);
    number64(writer, 18, node['minProperties']);
    number64(writer, 17, node['maxProperties']);
    flag(writer, 16, node['uniqueItems']);
    number64(writer, 15, node['minItems']);
    number64(writer, 14, node['maxItems']);
    text(writer, 13, node['pattern']);
    number64(writer, 12, node['minLength']);
    number64(writer, 11, node['maxLength']);
    flag(writer, 10, node['exclusiveMinimum']);
    double(writer, 9, node['minimum']);
    flag(writer, 8, node['exclusiveMaximum']);
    double(writer, 7, node['maximum']);
    double(writer, 6, node['multipleOf']);
    if (node['default'] !== undefined) message(writer, 5, any(node['default']));
    text(writer, 4, node['description']);
    text(writer, 3, node['title']);
    text(writer, 2, node['format']);
    text(writer, 1, node['$ref']);
  };
}

function additionalProperties(value: unknown): Write {
  return writer => {
    if (typeof value === 'object') message(writer, 1, schema(value as Node));
    else {
      writer.byte(value === true ? 1 : 0);
      writer.varint(2 << 3);
    }
  };
}

function externalDocs(node: Node): Write {
  return writer => {
    text(writer, 2, node['url']);
    text(writer, 1, node['description']);
  };
}

/** Parameter: a body, or one in the query or the path. */
function parameter(node: Node): Write {
  if (node['in'] === 'body') {
    return writer =>
      message(writer, 1, inner => {
        if (node['schema']) message(inner, 5, schema(node['schema'] as Node));
        flag(inner, 4, node['required']);
        text(inner, 3, node['in']);
        text(inner, 2, node['name']);
        text(inner, 1, node['description']);
      });
  }
  const inPath = node['in'] === 'path';
  // In a query the field `allow_empty_value` stands before the type and moves it and unique_items by one.
  const shift = inPath ? 0 : 1;
  return writer =>
    message(writer, 2, outer =>
      message(outer, inPath ? 4 : 3, inner => {
        flag(inner, 19 + shift, node['uniqueItems']);
        text(inner, 6 - 1 + shift, node['type']);
        text(inner, 4, node['name']);
        text(inner, 3, node['description']);
        text(inner, 2, node['in']);
        flag(inner, 1, node['required']);
      }),
    );
}

function parametersItem(node: Node): Write {
  const { $ref } = node;
  if ($ref !== undefined) return writer => message(writer, 2, inner => text(inner, 1, $ref));
  return writer => message(writer, 1, parameter(node));
}

function parameters(writer: WireWriter, number: number, list: unknown): void {
  for (const each of ((list as readonly Node[] | undefined) ?? []).toReversed())
    message(writer, number, parametersItem(each));
}

function response(node: Node): Write {
  return writer =>
    message(writer, 1, inner => {
      if (node['schema']) message(inner, 2, item => message(item, 1, schema(node['schema'] as Node)));
      text(inner, 1, node['description']);
    });
}

function operation(node: Node): Write {
  return writer => {
    extensions(writer, 13, node);
    texts(writer, 10, node['schemes']);
    message(writer, 9, inner =>
      named(
        inner,
        1,
        entriesOf(node['responses']).map(([code, each]) => [code, response(each as Node)]),
      ),
    );
    parameters(writer, 8, node['parameters']);
    texts(writer, 7, node['consumes']);
    texts(writer, 6, node['produces']);
    text(writer, 5, node['operationId']);
    text(writer, 3, node['description']);
    texts(writer, 1, node['tags']);
  };
}

const methodNumbers: readonly (readonly [string, number])[] = [
  ['patch', 8],
  ['head', 7],
  ['options', 6],
  ['delete', 5],
  ['post', 4],
  ['put', 3],
  ['get', 2],
];

function pathItem(node: Node): Write {
  return writer => {
    parameters(writer, 9, node['parameters']);
    for (const [method, number] of methodNumbers) {
      if (node[method]) message(writer, number, operation(node[method] as Node));
    }
  };
}

function apiKey(node: Node): Write {
  return writer =>
    message(writer, 2, inner => {
      text(inner, 4, node['description']);
      text(inner, 3, node['in']);
      text(inner, 2, node['name']);
      text(inner, 1, node['type']);
    });
}

/** Encodes a document as openapi.v2.Document. */
export function encodeOpenapiV2(document: OpenapiV2Document): Uint8Array {
  const writer = new WireWriter(4 * 1024 * 1024);
  const security = entriesOf(document.securityDefinitions).map(([name, each]) => [name, apiKey(each as Node)] as const);
  message(writer, 13, inner => named(inner, 1, security));
  for (const each of document.security.toReversed()) {
    const entries = entriesOf(each).map(
      ([name, scopes]) => [name, (inner: WireWriter) => texts(inner, 1, scopes)] as const,
    );
    message(writer, 12, inner => named(inner, 1, entries));
  }
  const shared = Object.entries(document.parameters).map(([name, each]) => [name, parameter(each)] as const);
  if (shared.length > 0) message(writer, 10, inner => named(inner, 1, shared));
  const definitions = Object.entries(document.definitions).map(([name, each]) => [name, schema(each)] as const);
  message(writer, 9, inner => named(inner, 1, definitions));
  const paths = Object.entries(document.paths).map(([name, each]) => [name, pathItem(each)] as const);
  message(writer, 8, inner => named(inner, 2, paths));
  message(writer, 2, inner => {
    text(inner, 2, document.info.version);
    text(inner, 1, document.info.title);
  });
  text(writer, 1, document.swagger);
  return writer.finish();
}
