import type { Key, Push } from "@catnap/shared";
import type { Pending } from "./memory.ts";
import { type Epoch, type OpRow, rowName } from "./rows.ts";

/** Whose changes a tab makes: of which session, in which epoch, and under which names. */
export class Owner {
  identifier: string | null = null;
  /** The epoch that changes belong to while there is no session, and the nonce under which they begin one. */
  epoch: string;
  /**
   * The browser's epoch by which this tab goes. Another one than its own: the page was rendered for another session than
   * the browser had, and the tab is a guest until the server has named the session.
   */
  host: string;
  /** Earlier epochs whose changes belong to this one. */
  from: readonly string[];
  profile: string;
  writer = "";
  /** The names of what this tab has adopted from the session before. */
  heirs: readonly string[] = [];
  protected readonly id: (bytes: number) => string;

  constructor(epoch: Epoch, id: (bytes: number) => string) {
    this.id = id;
    this.epoch = this.host = epoch.name;
    this.from = epoch.from;
    this.profile = epoch.profile;
    this.identifier = epoch.identifier;
    this.become();
  }

  /**
   * The name under which the same page load makes changes that touch no disk: who finds rows of `writer` there has all that
   * came before them, and passes nothing over.
   */
  get diskless(): string {
    return `${this.writer}_`;
  }

  writerOf(key: Key): string {
    return key.disk ? this.writer : this.diskless;
  }

  /** Whether this page load makes changes under that name. */
  isMine(writer: string): boolean {
    return this.writers.includes(writer);
  }

  /** The names under which it does, oldest first. */
  get writers(): readonly string[] {
    return [...this.heirs, this.diskless, this.writer];
  }

  get isGuest(): boolean {
    return this.epoch !== this.host;
  }

  /** Whether a row is of the session at hand, and of another page load. */
  isOurs({ identifier, epoch, profile, writer }: OpRow): boolean {
    if (this.isMine(writer)) return false;
    if (identifier === null) return epoch === this.epoch || this.from.includes(epoch);
    return profile === this.profile && identifier === this.identifier;
  }

  /** An op's row, bound to the session as of now. */
  row({ writer, ...op }: Pending): readonly [string, OpRow] {
    const { identifier, epoch, profile } = this;
    return [rowName({ ...op, writer }), { identifier, epoch, profile, writer, op }];
  }

  /**
   * Whether a push is one of this session, as it is now. A question that was asked as another browser is not: the answer tells
   * nothing of this one's writers.
   */
  isOwn({ identifier, profile, nonce, ops }: Push): boolean {
    if (ops.length === 0 && profile !== this.profile) return false;
    return identifier === this.identifier && (nonce === undefined || nonce === this.epoch);
  }

  protected enter({ name, from, profile }: Epoch): void {
    this.epoch = this.host = name;
    this.from = from;
    this.profile = profile;
  }

  /** Another writer, of which the server knows nothing. */
  protected become(): void {
    this.writer = this.id(8);
  }
}
