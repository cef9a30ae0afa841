/**
 * OpenAPI 3 as the protobuf message openapi.v3.Document, which Go clients ask for. Upstream: google/gnostic-models
 * openapiv3/OpenAPIv3.proto and its parser of JSON documents, OpenAPIv3.go.
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
import type { OpenapiV3Document } from './v3.ts';

/** One of a message and a reference to one: field 1 or 2. */
function orReference(node: Node, write: (node: Node) => Write): Write {
  const { $ref } = node;
  if (typeof $ref !== 'string') return writer => message(writer, 1, write(node));
  return writer =>
    message(writer, 2, inner => {
      text(inner, 3, node['description']);
      text(inner, 2, node['summary']);
      text(inner, 1, $ref);
    });
}

/** Entries of an object, each a message or a reference. */
function shared(writer: WireWriter, number: number, nodes: unknown, write: (node: Node) => Write): void {
  const entries = entriesOf(nodes).map(([name, each]) => [name, orReference(each as Node, write)] as const);
  named(writer, number, entries);
}

function each(writer: WireWriter, number: number, nodes: unknown, write: (node: Node) => Write): void {
  for (const node of ((nodes as readonly Node[] | undefined) ?? []).toReversed()) message(writer, number, write(node));
}

const schemaOrReference = (node: Node): Write => orReference(node, schema);

function schema(node: Node): Write {
  return writer => {
    extensions(writer, 36, node);
    text(writer, 35, node['format']);
    text(writer, 34, node['description']);
    if (node['default'] !== undefined) message(writer, 33, defaultType(node['default']));
    const additional = node['additionalProperties'];
    if (additional !== undefined) message(writer, 32, additionalProperties(additional));
    if (node['properties']) message(writer, 31, inner => shared(inner, 1, node['properties'], schema));
    const items = node['items'];
    if (items) message(writer, 30, inner => each(inner, 1, [items].flat(), schemaOrReference));
    if (node['not']) message(writer, 29, schema(node['not'] as Node));
    each(writer, 28, node['anyOf'], schemaOrReference);
    each(writer, 27, node['oneOf'], schemaOrReference);
    each(writer, 26, node['allOf'], schemaOrReference);
    text(writer, 25, node['type']);
    each(writer, 24, node['enum'], any);
    texts(writer, 23, node['required']);
    number64(writer, 22, node['minProperties']);
    number64(writer, 21, node['maxProperties']);
    flag(writer, 20, node['uniqueItems']);
    number64(writer, 19, node['minItems']);
    number64(writer, 18, node['maxItems']);
    text(writer, 17, node['pattern']);
    number64(writer, 16, node['minLength']);
    number64(writer, 15, node['maxLength']);
    flag(writer, 14, node['exclusiveMinimum']);
    double(writer, 13, node['minimum']);
    flag(writer, 12, node['exclusiveMaximum']);
    double(writer, 11, node['maximum']);
    double(writer, 10, node['multipleOf']);
    text(writer, 9, node['title']);
    flag(writer, 8, node['deprecated']);
    if (node['example'] !== undefined) message(writer, 7, any(node['example']));
    if (node['externalDocs']) message(writer, 6, externalDocs(node['externalDocs'] as Node));
    flag(writer, 4, node['writeOnly']);
    flag(writer, 3, node['readOnly']);
    flag(writer, 1, node['nullable']);
  };
}

/** Only scalars have a place; an object or a list leaves the message empty. */
function defaultType(value: unknown): Write {
  return writer => {
    if (typeof value === 'string') {
      writer.text(value);
      writer.varint((3 << 3) | 2);
    } else if (typeof value === 'boolean') {
      writer.byte(value ? 1 : 0);
      writer.varint(2 << 3);
    } else if (typeof value === 'number') {
      writer.double(value);
      writer.varint((1 << 3) | 1);
    }
  };
}

function additionalProperties(value: unknown): Write {
  return writer => {
    if (typeof value === 'object') return message(writer, 1, schemaOrReference(value as Node));
    writer.byte(value === true ? 1 : 0);
    writer.varint(2 << 3);
  };
}

function externalDocs(node: Node): Write {
  return writer => {
    text(writer, 2, node['url']);
    text(writer, 1, node['description']);
  };
}

function content(writer: WireWriter, number: number, types: unknown): void {
  if (types === undefined) return;
  const entries = entriesOf(types).map(([name, type]) => {
    const body = (type as Node)['schema'] as Node | undefined;
    const write: Write = inner => {
      extensions(inner, 5, type as Node);
      if (body) message(inner, 1, schemaOrReference(body));
    };
    return [name, write] as const;
  });
  message(writer, number, inner => named(inner, 1, entries));
}

function parameter(node: Node): Write {
  return writer => {
    extensions(writer, 14, node);
    content(writer, 13, node['content']);
    if (node['schema']) message(writer, 10, schemaOrReference(node['schema'] as Node));
    flag(writer, 9, node['allowReserved']);
    flag(writer, 8, node['explode']);
    text(writer, 7, node['style']);
    flag(writer, 6, node['allowEmptyValue']);
    flag(writer, 5, node['deprecated']);
    flag(writer, 4, node['required']);
    text(writer, 3, node['description']);
    text(writer, 2, node['in']);
    text(writer, 1, node['name']);
  };
}

const parameterOrReference = (node: Node): Write => orReference(node, parameter);

function requestBody(node: Node): Write {
  return writer => {
    extensions(writer, 4, node);
    flag(writer, 3, node['required']);
    content(writer, 2, node['content']);
    text(writer, 1, node['description']);
  };
}

function response(node: Node): Write {
  return writer => {
    extensions(writer, 5, node);
    content(writer, 3, node['content']);
    text(writer, 1, node['description']);
  };
}

function responses(node: Node): Write {
  const { default: other, ...codes } = node;
  const numbered = Object.fromEntries(Object.entries(codes).filter(([code]) => !code.startsWith('x-')));
  return writer => {
    extensions(writer, 3, node);
    shared(writer, 2, numbered, response);
    if (other) message(writer, 1, orReference(other as Node, response));
  };
}

function operation(node: Node): Write {
  return writer => {
    extensions(writer, 13, node);
    flag(writer, 10, node['deprecated']);
    if (node['responses']) message(writer, 8, responses(node['responses'] as Node));
    if (node['requestBody']) message(writer, 7, orReference(node['requestBody'] as Node, requestBody));
    each(writer, 6, node['parameters'], parameterOrReference);
    text(writer, 5, node['operationId']);
    text(writer, 3, node['description']);
    text(writer, 2, node['summary']);
    texts(writer, 1, node['tags']);
  };
}

const methodNumbers: readonly (readonly [string, number])[] = [
  ['trace', 11],
  ['patch', 10],
  ['head', 9],
  ['options', 8],
  ['delete', 7],
  ['post', 6],
  ['put', 5],
  ['get', 4],
];

function pathItem(node: Node): Write {
  return writer => {
    extensions(writer, 14, node);
    each(writer, 13, node['parameters'], parameterOrReference);
    for (const [method, number] of methodNumbers) {
      if (node[method]) message(writer, number, operation(node[method] as Node));
    }
    text(writer, 3, node['description']);
    text(writer, 2, node['summary']);
  };
}

function securityScheme(node: Node): Write {
  return writer => {
    text(writer, 4, node['in']);
    text(writer, 3, node['name']);
    text(writer, 2, node['description']);
    text(writer, 1, node['type']);
  };
}

/** Encodes a document as openapi.v3.Document. */
export function encodeOpenapiV3(document: OpenapiV3Document): Uint8Array {
  const writer = new WireWriter(2 * 1024 * 1024);
  const { info, paths, components } = document as unknown as Readonly<Record<string, Node>>;
  if (components) {
    message(writer, 5, inner => {
      const schemes = components['securitySchemes'];
      if (schemes) message(inner, 7, part => shared(part, 1, schemes, securityScheme));
      if (components['schemas']) message(inner, 1, part => shared(part, 1, components['schemas'], schema));
    });
  }
  const items = entriesOf(paths).map(([path, item]) => [path, pathItem(item as Node)] as const);
  message(writer, 4, inner => named(inner, 1, items));
  message(writer, 2, inner => {
    text(inner, 6, info?.['version']);
    text(inner, 2, info?.['description']);
    text(inner, 1, info?.['title']);
  });
  text(writer, 1, document.openapi);
  return writer.finish();
}
