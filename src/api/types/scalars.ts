/** Scalars that Go declares as types of their own. */

/** A quantity in its canonical text: `100m`, `1Gi`; see parseQuantity in #apimachinery. */
export type Quantity = string;

/** A port number or a port name, a number or a percentage. */
export type IntOrString = number | string;
