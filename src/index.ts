import * as core from '@actions/core';

import {installDocker} from './docker/install.ts';
import {placesOf} from './inputs/environment.ts';
import {InputError} from './inputs/error.ts';
import {readInputs} from './inputs.ts';
import {main} from './main.ts';
import {post} from './post.ts';
import {actionsReporter} from './report/actions.ts';
import {helpOn} from './report/help.ts';
import {messageOf} from './report/lines.ts';
import {mistakesSummary} from './report/summary.ts';
import {hasFailed} from './report/verdict.ts';
import {exitSoon, onCancel} from './run/cancel.ts';
import {savedUndo} from './run/saved.ts';

const {env} = process;
const reporter = actionsReporter(env);
const {temporary: runnerTemp} = placesOf(env);

async function tellInSummary(text: string): Promise<void> {
  if ((env.GITHUB_STEP_SUMMARY ?? '') === '') return;
  try {
    await core.summary.addRaw(text).write();
  } catch (error) {
    reporter.log.warning(`The job summary could not be written: ${messageOf(error)}`);
  }
}

/** Tells the post part that there is something to look after. Where that cannot be kept, nothing begins. */
function begin(): boolean {
  try {
    core.saveState('main', 'begun');
    return true;
  } catch (error) {
    core.setFailed(
      `What the step has to undo later cannot be kept: ${messageOf(error)}. Nothing was moved. Make room where the runner keeps its files.`
    );
    return false;
  }
}

if (core.getState('main') !== '') {
  await post({runnerTemp, env, log: reporter.log, state: name => core.getState(name)});
} else if (begin()) {
  const cancel = onCancel();
  try {
    const settings = readInputs(env, reporter.log);
    const record = await main(settings, {
      reporter,
      env,
      runnerTemp,
      installer: installDocker,
      signal: cancel.signal,
      undo: savedUndo((name, value) => {
        core.saveState(name, value);
      })
    });
    // What failed has been told, image by image; only the exit code is left to say.
    if (hasFailed(record)) process.exitCode = core.ExitCode.Failure;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const help = helpOn(error.name);
    core.setFailed(`${error.message}\nSee ${help}`);
    await tellInSummary(mistakesSummary(error.message, help));
  } finally {
    cancel.end();
    // A download that nobody waits for any more knows no signal, and would hold the step up.
    exitSoon();
  }
}
