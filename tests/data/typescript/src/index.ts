import { Job, Listener, Priority, Queue } from "./queue";

/** Runs one job, and says so. */
export async function drain<T>(
  job: Job<T>,
  input: T,
  listener?: Listener,
): Promise<number> {
  await job.run(input);
  listener && listener(job.name);
  return 1;
}

export namespace Names {
  // Not documentation, but it stays with the function.
  export function shout(name: string): string {
    return name.toUpperCase();
  }
}

/** A name as text. */
export function display(name: string): string;
/** A number as text. */
export function display(name: number): string;
export function display(name: string | number): string {
  return `${name}`;
}

// Astral characters before a name shift its UTF-16 column.
/* 😀 */ export const arrow = (job: Job<unknown>) => job.name;

export const table = {
  low: Priority.Low,
};

function helper(): Priority { return Priority.Low; } function twin(): Queue<string> { return Queue.of<string>(); }

helper();
twin();
