// The state of the step-through in the browser, between one scene and the next.

import type { Room, Scrolled, TensorPage } from "../../browser/client.d.ts";
import type { Event, Move, Place, Scene } from "./scene.d.ts";

export type Section =
  "map" | "tokens" | "source" | "picture" | "words" | "watch" | "inspect" | "strip" | "bar" | "search";

export interface State extends TensorPage {
  data: Scene; // what is drawn
  boxes: Record<Section, HTMLElement>;
  open: Set<string | null>; // blocks of the map
  drawn: Partial<Record<Section, string>>; // what each section was drawn from
  answered: Scene; // the last answer; what is drawn may be ahead of it
  known: Known;
  sent: Event | null; // what is not answered yet
  queue: Event[]; // what waits until it is
  playing: Timer | null;
  pace: "slow" | "normal" | "fast"; // of the walk that plays
  setPace: () => void; // to the next
  quiet: Timer | undefined; // while moves that are drawn wait for others
  latest: number; // when they are told in any case
  slow: Timer | undefined;
  waiting: Timer | undefined;
  sum?: Playing; // the arithmetic that is being watched
  sumPace?: "slow" | "fast";
  watches?: string; // the cell whose sum plays as soon as it is pinned
  played?: string; // the place at which the walk has played it
  lit?: string | null; // the cell that is pointed at
  more?: boolean; // whether the long explanation is open
  size?: string; // of the picture
  room?: Room; // that it had when it was empty
  pinned?: string | null;
  read?: string; // the place whose words are in sight
  scrolled?: Scrolled; // where the picture of a step was moved to, so that its result is seen
  send: (event: Event) => void;
  move: (move: Move) => void;
  play: () => void;
  watch: () => void; // the arithmetic of the pinned cell, part by part
  skip: () => void; // to its end
  skipTo: { say: (label: string) => void; stop: () => void }; // the way past what stands before the picture
  trigger: (name: string, value: unknown) => void;
  stop: () => void; // lets go of what was listened to
}

/** The places that Python has sent, by name: all of one frame, what they have in common. */
export interface Known {
  frame: string; // empty: none may be kept
  places: Map<string, Place>;
}

export interface Playing {
  of: string; // the pinned cell
  parts: { text: string; cells: { address: string; cell: number[] }[]; say?: string; whole: boolean }[];
  at: number; // how many of the parts are shown
  timer?: Timer; // while it plays
}

type Timer = ReturnType<typeof setTimeout>;

export type Draw = (box: HTMLElement, state: State) => void;
