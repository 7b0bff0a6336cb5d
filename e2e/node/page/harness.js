// What the scripts beside this one have in common: a browser, and what must never
// happen in it. They are told what they need in JSON, by the variable
// PAGE_SETTINGS; page_test.go has the fields.
'use strict';

const fs = require('fs');
const path = require('path');
const assert = require('assert/strict');
const { chromium } = require('playwright-core');

const settings = JSON.parse(process.env.PAGE_SETTINGS);

// How long anything on the page may take. Only what never comes takes that long.
const patience = 60_000;

// Harness is a browser, and all that has gone wrong in it.
class Harness {
	constructor(browser) {
		this.browser = browser;
		this.complaints = [];
		this.expected = []; // messages on the console that are as they should be
		this.requests = 0;
	}

	// open makes a page in a context of its own: nothing is stored from before.
	async open({ url = settings.url, viewport = { width: 1280, height: 900 }, ...options } = {}) {
		const context = await this.browser.newContext({ viewport, ...options });
		context.setDefaultTimeout(patience);
		const page = await context.newPage();
		const origin = new URL(url).origin;
		context.on('request', (request) => {
			this.requests++;
			const to = new URL(request.url());
			if (to.protocol !== 'data:' && to.origin !== origin) this.complaints.push(`a request to ${request.url()}`);
		});
		context.on('weberror', (error) => this.complaints.push(`an error on ${page.url()}: ${error.error().stack}`));
		context.on('console', (message) => {
			const text = `${message.text()} (${message.location().url})`;
			if (!['error', 'warning'].includes(message.type())) return;
			if (this.expected.some((pattern) => pattern.test(text))) return;
			this.complaints.push(`on the console of ${page.url()}: ${text}`);
		});
		context.on('dialog', (dialog) => {
			this.complaints.push(`a script has opened a dialog: ${dialog.message()}`);
			dialog.dismiss();
		});
		this.page = page;
		this.base = url;
		return page;
	}

	// go shows a page of the gateway. Its path has no slash in front.
	async go(page, to = '') {
		const answer = await page.goto(`${this.base}/${to}`);
		assert.ok(answer.ok(), `${to}: ${answer.status()}`);
		return answer;
	}
}

// run runs the steps of a script. The first that fails ends it, and the test: with
// its name, a picture of the page, and its text.
async function run(steps) {
	const browser = await chromium.launch({
		executablePath: settings.chromium,
		args: ['--disable-dev-shm-usage'].concat(process.getuid() === 0 ? ['--no-sandbox'] : []),
	});
	const h = new Harness(browser);
	let step = 'start';
	try {
		for (const [name, does] of Object.entries(steps)) {
			step = name;
			const begun = Date.now();
			await does(h);
			assert.deepEqual(h.complaints, [], 'what must not happen on a page');
			console.log(`${name}: ${Date.now() - begun} ms`);
		}
		assert.ok(h.requests > 0, 'no request was made at all');
	} catch (error) {
		process.exitCode = 1;
		console.error(`FAILED: ${step}\n${error.stack}`);
		if (h.complaints.length) console.error(h.complaints.join('\n'));
		await keep(h.page).catch((e) => console.error(`the page could not be kept: ${e.message}`));
	} finally {
		await browser.close();
	}
}

// keep stores how a page looks now in the test's folder.
async function keep(page) {
	if (!page) return;
	fs.writeFileSync(path.join(settings.folder, 'failed.html'), `<!-- ${page.url()} -->\n${await page.content()}`);
	await page.screenshot({ path: path.join(settings.folder, 'failed.png') });
}

// picture keeps a screenshot as an artefact of the run.
async function picture(page, name, options = {}) {
	fs.mkdirSync(settings.pictures, { recursive: true });
	await page.screenshot({ path: path.join(settings.pictures, `${name}.png`), animations: 'disabled', ...options });
}

// eventually waits until a condition holds, and fails with what there was instead.
async function eventually(what, get, holds) {
	const until = Date.now() + patience;
	for (;;) {
		const have = await get();
		if (holds(have)) return have;
		if (Date.now() > until) assert.fail(`not within ${patience / 1000} s: ${what}; there is ${JSON.stringify(have)}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

// ask sends a request to the gateway past the browser, and returns code and text.
async function ask(method, url, body, headers = {}) {
	const answer = await fetch(url, { method, body, headers });
	return { code: answer.status, text: await answer.text() };
}

// push replaces a group by a push that must be answered by a code.
async function push(url, group, body, { code = 200, method = 'PUT', headers = {} } = {}) {
	const said = await ask(method, `${url}/metrics${group}`, body, headers);
	assert.equal(said.code, code, `${method} ${group}: ${said.text}`);
}

// groups are the paths of the groups that the table shows.
function groups(page) {
	return page.locator('[data-testid=group]').evaluateAll((rows) => rows.map((row) => row.dataset.key));
}

module.exports = { settings, run, picture, eventually, ask, push, groups, assert };
