import type {Month} from './shape.ts';

/**
 * What the target has, and what is mirrored: `cold` nothing, the first month; `unchanged` the first
 * month, the same; `next` the first month, the next one; `rebuilt` the same upon a rebuilt base;
 * `killed` what a run left that was killed when half of the bytes had arrived.
 */
export type Phase = 'cold' | 'unchanged' | 'next' | 'rebuilt' | 'killed';

/** All of them, in their order. */
export const phases: readonly Phase[] = ['cold', 'unchanged', 'next', 'rebuilt', 'killed'];

/** The month that a phase mirrors. */
export const monthOf: Readonly<Record<Phase, Month>> = {
  cold: 'first',
  unchanged: 'first',
  next: 'next',
  rebuilt: 'rebuilt',
  killed: 'first'
};

/** Whether the first month is at the target already. */
export function beginsFull(phase: Phase): boolean {
  return phase !== 'cold' && phase !== 'killed';
}
