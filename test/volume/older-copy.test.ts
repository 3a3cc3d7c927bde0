import { cpSync, existsSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { Receiver } from '../../src/index.js';
import { letFilesSettle } from '../support/clock.js';
import { contentOf } from '../support/files.js';
import { Pair } from '../support/pair.js';
import { randomFor, rounds, SEED } from '../support/seed.js';

/** A state directory that was put back from an older copy while the files beside it are of today. */

let pair: Pair;
const at = (path: string): string => join(pair.source, path);

/** Files of one size and time, so that nothing but their content tells them apart. */
function write(name: string, seed: number): void {
  writeFileSync(at(name), contentOf(2 * seed + 1, 40_000));
  utimesSync(at(name), 1_000_000_000, 1_000_000_000);
}

function changePlaces(one: string, other: string): void {
  renameSync(at(one), at('x'));
  renameSync(at(other), at(one));
  renameSync(at('x'), at(other));
}

beforeEach(async () => {
  letFilesSettle();
  pair = Pair.at();
  for (const [i, name] of ['a', 'b', 'c', 'd', 'e'].entries()) write(name, i);
  await pair.openReceiver();
  await pair.openSender();
});

const copies = (): { senderState: string; receiverState: string } => ({
  senderState: `${pair.senderState} before`,
  receiverState: `${pair.receiverState} before`,
});

/** Keeps copies of both states as they are now. */
async function keepCopies(): Promise<void> {
  await pair.close();
  for (const path of Object.values(copies())) rmSync(path, { recursive: true, force: true });
  cpSync(pair.senderState, copies().senderState, { recursive: true });
  cpSync(pair.receiverState, copies().receiverState, { recursive: true });
  await pair.openReceiver();
  await pair.openSender();
}

function putBack(which: 'senderState' | 'receiverState'): void {
  rmSync(pair[which], { recursive: true });
  cpSync(copies()[which], pair[which], { recursive: true });
}

async function change(): Promise<void> {
  changePlaces('a', 'b');
  renameSync(at('c'), at('moved'));
  write('c', 77);
  rmSync(at('d'));
  write('new', 78);
  await pair.sync();
  changePlaces('e', 'a');
  await pair.sync();
}

/** Copies of both states are kept, and then much changes on both sides. */
async function copyAndChange(): Promise<void> {
  await pair.sync();
  await keepCopies();
  await change();
}

async function receiverGoesBack(): Promise<void> {
  await pair.closeReceiver();
  putBack('receiverState');
  await pair.openReceiver();
}

/** What comes next arrives, and so has all before, without a verification. */
async function goesOn(): Promise<void> {
  write('later', 79);
  await pair.volume.sync();
  await pair.sender.drain('applied');
  expect(pair.differences()).toEqual([]);
}

describe("the receiver's", () => {
  test.each(['copied', 'copied and verified'])('from when everything was %s', async (when) => {
    await pair.volume.sync();
    await pair.sender.drain('applied');
    if (when.includes('verified')) await pair.volume.verify();
    await keepCopies();
    await change();
    await receiverGoesBack();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });

  test('from when its log was complete and not applied, without a verification', async () => {
    await pair.sync();
    await pair.closeReceiver();
    const logging = await Receiver.open({ dir: pair.receiverState, listen: { host: '127.0.0.1', port: pair.port } });
    changePlaces('a', 'b');
    await pair.volume.sync();
    changePlaces('b', 'c');
    await pair.volume.sync();
    renameSync(at('d'), at('moved'));
    write('d', 77);
    await pair.volume.sync();
    rmSync(at('moved'));
    await pair.volume.sync();
    await pair.sender.drain('logged');
    await logging.close();
    cpSync(pair.receiverState, copies().receiverState, { recursive: true });
    await pair.openReceiver();
    await pair.sender.drain('applied');
    expect(pair.differences()).toEqual([]);
    await receiverGoesBack();
    await goesOn();
  });

  test('while the sender goes on, without a verification', async () => {
    await copyAndChange();
    await receiverGoesBack();
    await goesOn();
  });
});

describe("the sender's", () => {
  test('is refused, and with adopt takes over what the replica has', async () => {
    await copyAndChange();
    await pair.closeSender();
    putBack('senderState');
    await pair.openSender();
    await expect(pair.sync()).rejects.toMatchObject({ code: 'PEER_NEWER' });
    await pair.closeSender();
    await pair.openSender({ adopt: true }, { adopt: true });
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });

  test('is refused too when it has gone on by itself', async () => {
    await copyAndChange();
    await pair.close();
    putBack('senderState');
    await pair.openSender();
    for (let i = 0; i < 30; i++) {
      write(`other ${i}`, 100 + i);
      await pair.volume.sync();
    }
    await pair.openReceiver();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });

  test('and both states together', async () => {
    await copyAndChange();
    await pair.close();
    putBack('senderState');
    putBack('receiverState');
    await pair.openReceiver();
    await pair.openSender();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });
});

test('random changes of places, and either the replica or both go back at random', async () => {
  for (let round = 1; round <= rounds(3); round++) {
    const random = randomFor(700 + round);
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const story: string[] = [];
    let seed = 100 * round;
    const mutate = (): void => {
      for (let i = random.between(1, 4); i > 0; i--) {
        const [one, other] = [random.pick(names), random.pick(names)];
        if (one === other || random.chance(0.2)) {
          write(one, seed++);
          story.push(`write ${one}`);
        } else if (existsSync(at(one)) && existsSync(at(other))) {
          changePlaces(one, other);
          story.push(`${one} <> ${other}`);
        } else if (existsSync(at(one))) {
          renameSync(at(one), at(other));
          story.push(`${one} > ${other}`);
        }
      }
    };
    await pair.sync();
    await keepCopies();
    for (let step = 0; step < 6; step++) {
      mutate();
      await pair.sync();
      const both = random.chance(0.5);
      if (!random.chance(0.5)) continue;
      story.push(both ? 'both go back' : 'the replica goes back');
      await pair.close();
      putBack('receiverState');
      if (both) putBack('senderState');
      if (random.chance(0.5)) mutate();
      await pair.openReceiver();
      await pair.openSender();
      await pair.volume.sync();
      await pair.sender.drain('applied');
      if (both) await pair.volume.verify();
      expect(pair.differences(), `LONGHAUL_SEED=${SEED}, round ${round}: ${story.join(', ')}`).toEqual([]);
      if (random.chance(0.5)) await keepCopies();
    }
  }
}, 600_000);
