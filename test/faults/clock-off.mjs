// Loaded before all else, in every thread: this process' clock is HOLDFAST_CLOCK_OFF_MS off.
const off = Number(process.env.HOLDFAST_CLOCK_OFF_MS ?? 0);
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + off] : args));
  }

  static now() {
    return RealDate.now() + off;
  }
};
