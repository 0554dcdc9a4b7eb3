import { type Holdfast, HoldfastError } from "@holdfast/core";

declare const hf: Holdfast;
declare const work: () => Promise<string>;

// #region is
try {
  await hf.run("order-42", work);
} catch (error) {
  if (HoldfastError.is(error, "RUN_LEASED")) console.log(`${error.details.worker} is at it`);
  else if (HoldfastError.is(error)) console.log(error.code, error.details);
  else throw error; // what the run's own work rejected with
}
// #endregion
