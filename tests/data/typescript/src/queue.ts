/** How urgent a job is. */
export enum Priority {
  Low,
  High,
}

/**
 * Something that can be done later.
 */
export interface Job<T> {
  readonly name: string;
  run(input: T): Promise<void>;
}

/** Told when a job is done. */
export type Listener = (name: string) => void;

export const DEFAULT_LIMIT = 16;

function sealed(target: Function): void {
  Object.freeze(target);
}

/**
 * Jobs that wait, the most urgent first.
 */
@sealed
export class Queue<T> {
  private readonly jobs: Array<Job<T>> = [];

  constructor(private readonly limit: number = DEFAULT_LIMIT) {}

  /** Number of jobs that wait. */
  get size(): number {
    return this.jobs.length;
  }

  /**
   * Add a job; returns false where the queue is full.
   *
   * "}" in a string and `${"{"}` in a template are no brackets.
   */
  add(job: Job<T>, priority: Priority = Priority.Low): boolean {
    if (this.jobs.length >= this.limit) {
      return false;
    }
    const label = `${job.name}}`;
    if (priority === Priority.High) {
      this.jobs.unshift(job);
    } else {
      this.jobs.push(job);
    }
    return label !== "{";
  }

  static of<T>(...jobs: Array<Job<T>>): Queue<T> {
    const queue = new Queue<T>(jobs.length);
    jobs.forEach((job) => {
      function addTo(target: Queue<T>): void {
        target.add(job);
      }
      addTo(queue);
    });
    return queue;
  }
}
