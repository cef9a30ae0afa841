/** The authorities by which somebody else is believed, as one PEM text that may change while programs run. */
export interface TrustBundle {
  /** One certificate after another, the one that signs first. */
  readonly pem: string;
  /** Called after each change, for as long as the bundle lives. */
  onChange(listener: () => void): void;
}

/** One that never changes. */
export function fixedTrust(pem: string): TrustBundle {
  return { pem, onChange() {} };
}
