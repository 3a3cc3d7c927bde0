/** Tests spoil what came back, so that who looks at it still is found out. */
export const onReuse: { spoil?: (memory: Buffer) => void } = {};

/** Memory that several have views of at a time; it is used again once the last of them is done with it. */
export class Loan {
  private holders = 1;

  constructor(
    readonly memory: Buffer,
    private readonly reuse: (memory: Buffer) => void,
  ) {}

  /** One more has views of it, until the returned function is called, if ever. */
  share(): () => void {
    this.holders++;
    let held = true;
    return () => {
      if (held) this.giveBack();
      held = false;
    };
  }

  /** For whoever made it. */
  giveBack(): void {
    this.holders--;
    if (this.holders > 0) return;
    onReuse.spoil?.(this.memory);
    this.reuse(this.memory);
  }
}
