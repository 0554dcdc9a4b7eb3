/** The version of this package, as workers are registered with it. */
export const version = "0.1.0";
