/**
 * What the codec does for one message, worked out once from its TypeNode. Plans are kept beside the immutable nodes
 * that they are made from (a WeakMap), so every cluster of a process shares them.
 */
import type { FieldNode, ScalarType, StructNode, TypeNode } from '../schema/type-node.ts';

/** How a value is coded. The order matters: everything from `quantity` on is a message of its own. */
export const codes = {
  string: 0,
  bytes: 1,
  boolean: 2,
  int32: 3,
  int64: 4,
  double: 5,
  struct: 6,
  quantity: 7,
  time: 8,
  microtime: 9,
  duration: 10,
  intOrString: 11,
  raw: 12,
  wrapped: 13,
  union: 14,
} as const;

const scalarCodes: Readonly<Record<ScalarType, number>> = {
  string: codes.string,
  bytes: codes.bytes,
  boolean: codes.boolean,
  int32: codes.int32,
  int64: codes.int64,
  double: codes.double,
  quantity: codes.quantity,
  time: codes.time,
  microtime: codes.microtime,
  duration: codes.duration,
  intOrString: codes.intOrString,
  fieldsV1: codes.raw,
  rawExtension: codes.raw,
  json: codes.raw,
};

/** How a single value is coded: a field's, or that of an element of a list or map. */
export interface ValuePlan {
  readonly code: number;
  /** 0 varint, 1 eight bytes, 2 with a length. */
  readonly wireType: number;
  readonly node: TypeNode;
  /** The plan of a struct; made when it is first needed, because messages contain themselves. */
  struct(): MessagePlan;
}

export interface FieldPlan {
  readonly name: string;
  readonly number: number;
  readonly shape: 'single' | 'list' | 'map' | 'embedded';
  readonly value: ValuePlan;
  /** Absent is not written, and zero is kept. */
  readonly nullable: boolean;
  /** Not nullable, and zero is left out of the decoded object. */
  readonly dropZero: boolean;
}

export interface MessagePlan {
  /** Go's name of the message, for errors. */
  readonly name: string;
  /** Index is the field number. */
  readonly byNumber: readonly (FieldPlan | undefined)[];
  /** Highest number first: messages are written from their end. */
  readonly descending: readonly FieldPlan[];
}

const plans = new WeakMap<StructNode, MessagePlan>();

/** The plan of a message. */
export function planOf(node: StructNode): MessagePlan {
  const known = plans.get(node);
  if (known) return known;
  const plan = makePlan(node);
  plans.set(node, plan);
  return plan;
}

function makePlan(node: StructNode): MessagePlan {
  const fields: FieldPlan[] = [];
  for (const field of node.fields.values()) if (!field.embedded && field.number > 0) fields.push(fieldPlan(field));
  for (const { number, struct } of node.embedded ?? []) {
    if (number === 0) continue;
    const value = structPlan(struct);
    fields.push({ name: '', number, shape: 'embedded', value, nullable: false, dropZero: false });
  }
  const byNumber: (FieldPlan | undefined)[] = [];
  for (const field of fields) byNumber[field.number] = field;
  const dense = Array.from({ length: byNumber.length }, (_, at) => byNumber[at]);
  return {
    name: node.name.slice(node.name.lastIndexOf('.') + 1),
    byNumber: dense,
    descending: fields.sort((a, b) => b.number - a.number),
  };
}

function fieldPlan(field: FieldNode): FieldPlan {
  const { node } = field;
  const wrapped = node.kind === 'list' && node.wrapped;
  const shape = node.kind === 'map' ? 'map' : node.kind === 'list' && !wrapped ? 'list' : 'single';
  const inner = shape === 'single' ? node : (node as { element: TypeNode }).element;
  const value = valuePlan(inner);
  const dropZero = !field.nullable && field.omitEmpty && value.code <= codes.double;
  return { name: field.name, number: field.number, shape, value, nullable: field.nullable, dropZero };
}

function noStruct(): never {
  throw new TypeError('not a struct');
}

function wireTypeOf(code: number): number {
  if (code === codes.double) return 1;
  return code >= codes.boolean && code <= codes.int64 ? 0 : 2;
}

function structPlan(node: StructNode): ValuePlan {
  let plan: MessagePlan | undefined;
  return { code: codes.struct, wireType: 2, node, struct: () => (plan ??= planOf(node)) };
}

/** How a value of the node is coded where it is not a field's list or map. Throws a TypeError for what protobuf cannot carry. */
export function valuePlan(node: TypeNode): ValuePlan {
  switch (node.kind) {
    case 'struct':
      return structPlan(node);
    case 'scalar':
      return { code: scalarCodes[node.type], wireType: wireTypeOf(scalarCodes[node.type]), node, struct: noStruct };
    case 'list':
      if (node.wrapped) return { code: codes.wrapped, wireType: 2, node, struct: noStruct };
      throw new TypeError('protobuf has no list of lists');
    case 'any':
      if (node.union) return { code: codes.union, wireType: 2, node, struct: structPlan(node.union.schema).struct };
      throw new TypeError('protobuf cannot carry a value without a type');
    case 'map':
      throw new TypeError('protobuf has no list or map of maps');
  }
}
