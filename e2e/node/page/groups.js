// Ten thousand groups in the table: search, filters, order, pages, and what
// deletes many at once.
'use strict';

const { settings, run, picture, eventually, ask, push, groups, assert } = require('./harness');

const failing = '/job/etl/instance/host00007/region/us';
const never = '/job/never/instance/bad';
const large = '/job/report/instance/large';

let page;

// shows waits until the table has just these groups.
async function shows(want) {
	await eventually(`groups ${want}`, () => groups(page), (have) => have.length === want.length && have.every((path, i) => path === want[i]));
}

const shown = () => page.getByTestId('view').getAttribute('data-shown').then(Number);
const search = () => page.locator('#q');

// type replaces what is in the search by single keys, as people do.
async function type(text) {
	await search().fill('');
	await search().pressSequentially(text, { delay: 15 });
}

run({
	async 'groups that fail are first, with the reason'(h) {
		await push(settings.url, failing, 'this is no metric\n', { code: 400 });
		// What cannot be read at all makes no group.
		await push(settings.url, never, 'twice 1\ntwice 2\n', { code: 400 });
		await push(settings.url, large, [...Array(40).keys()].map((i) => `large{i="${i}"} 1\n`).join(''));
		page = await h.open();
		await h.go(page);
		const all = await groups(page);
		assert.equal(all.length, 50);
		assert.deepEqual(all.slice(0, 2), [failing, never]);
		assert.match(await page.locator(`[data-key="${failing}"]`).innerText(), /failing/);
		assert.match(await page.locator(`[data-key="${failing} refused"]`).innerText(), /^refused \d+ s ago: text format parsing error/);
		assert.match(await page.locator(`[data-key="${never} refused"]`).innerText(), /^refused \d+ s ago: .*twice/);
		const heights = await page.locator('[data-testid=group].up').evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height));
		assert.ok(Math.max(...heights) <= 22, `rows of ${Math.max(...heights)} pixels`);
		assert.equal(await shown(), settings.groups + 2);
		assert.equal(await page.getByTestId('filter-failing').locator('b').innerText(), '1');
		assert.equal(await page.getByTestId('filter-all').locator('b').innerText(), '10,002');
	},

	async 'search as one types'(h) {
		await page.evaluate(() => (window.stayed = true));
		const begun = Date.now();
		await type('instance=host04242');
		await shows(['/job/etl/instance/host04242/region/eu']);
		console.log(`  from the first key to the only row: ${Date.now() - begun} ms`);
		assert.equal(new URL(page.url()).search, '?search=instance=host04242');
		await type('HOST0424 region=eu');
		await shows(['/job/etl/instance/host04242/region/eu', '/job/backup/instance/host04245/region/eu', '/job/report/instance/host04248/region/eu'].sort());
		await type('job~^(bill|back) instance~0010[0-5]$');
		await shows(['/job/backup/instance/host00100/region/us', '/job/backup/instance/host00105/region/eu', '/job/billing/instance/host00101/region/ap']);
		await type('region=');
		await shows([never, large]);
		await type('nothing-like-this');
		await page.getByTestId('empty').waitFor();
		await type('instance~(');
		await page.getByTestId('bad-search').waitFor();
		assert.match(await page.getByTestId('bad-search').innerText(), /missing closing/);
		assert.ok(await page.evaluate(() => window.stayed), 'searching has loaded the page anew');
	},

	async 'states'(h) {
		await h.go(page);
		await page.getByTestId('filter-failing').click();
		await shows([failing]);
		assert.equal(new URL(page.url()).search, '?state=failing');
		await page.getByTestId('filter-never').click();
		await shows([never]);
		await page.goBack();
		await shows([failing]);
	},

	async 'order'(h) {
		await h.go(page, '?search=job=report');
		await page.getByRole('columnheader', { name: 'Series' }).getByRole('link').click();
		await eventually('the largest first', () => groups(page), ([first]) => first === large);
		assert.equal(await page.getByRole('columnheader', { name: 'Series' }).getAttribute('aria-sort'), 'descending');
		await page.getByRole('columnheader', { name: 'Series' }).getByRole('link').click();
		await eventually('the smallest first', () => groups(page), ([first]) => first && first !== large);
		assert.equal(await page.getByRole('columnheader', { name: 'Series' }).getAttribute('aria-sort'), 'ascending');
		await page.getByRole('columnheader', { name: 'Last push' }).getByRole('link').click();
		await eventually('the youngest first', () => groups(page), ([first]) => first === large);
	},

	async 'pages, and a view that can be bookmarked'(h) {
		await h.go(page, '?search=job=billing&sort=path');
		const first = await groups(page);
		await page.getByTestId('next').click();
		await eventually('the second page', () => groups(page), (have) => have.length === 50 && have[0] !== first[0]);
		assert.equal(await page.getByTestId('range').innerText(), '51–100 of 2,000');
		await page.getByTestId('next').click();
		await eventually('the third page', () => page.getByTestId('range').innerText(), (text) => text === '101–150 of 2,000');
		const third = await groups(page);
		await page.reload();
		assert.deepEqual(await groups(page), third);
		assert.equal(await search().inputValue(), 'job=billing');
		const bookmark = page.url();
		page = await h.open();
		await page.goto(bookmark);
		assert.deepEqual(await groups(page), third);
		await page.getByTestId('previous').click();
		await eventually('the second page', () => page.getByTestId('range').innerText(), (text) => text === '51–100 of 2,000');
	},

	async 'a jump to a page, and by job'(h) {
		await h.go(page, '?sort=path');
		await page.getByTestId('page').fill('200');
		await page.getByRole('button', { name: 'Go' }).click();
		await eventually('page 200', () => page.getByTestId('range').innerText(), (text) => text === '9,951–10,000 of 10,002');
		await page.getByTestId('view-jobs').click();
		const job = (name) => page.locator(`[data-testid=job][data-key="${name}"]`);
		await job('billing').waitFor();
		assert.equal((await page.getByTestId('job').evaluateAll((rows) => rows.map((row) => row.dataset.key)))[0], 'etl', 'the job with a failing group is first');
		assert.match(await job('billing').innerText(), /^job=billing\s+2,000\s+2,000\s+0\s+0\s+0\s+0\s/);
		await picture(page, 'jobs-light');
		await job('etl').locator('a.failing').click();
		await shows([failing]);
		await page.goBack();
		await job('billing').getByRole('link').first().click();
		await eventually('the groups of a job', shown, (n) => n === 2000);
		assert.equal(await search().inputValue(), 'job=billing');
		await page.getByTestId('view-jobs').click();
		await eventually('one job', () => page.getByTestId('job').count(), (n) => n === 1);
		await type('region=eu');
		await eventually('all jobs of a region', () => page.getByTestId('job').count(), (n) => n === 5);
		await page.getByTestId('view-groups').click();
		await eventually('their groups', () => groups(page), (have) => have.length === 50);
	},

	async 'keys alone'(h) {
		await h.go(page);
		// Everything is reached by Tab, in the order in which it stands there.
		const seen = [];
		for (let i = 0; i < 40 && !seen.includes('row'); i++) {
			await page.keyboard.press('Tab');
			seen.push(await page.evaluate(() => {
				const at = document.activeElement;
				return at.matches('a.chips') ? 'row' : at.id || at.className || at.textContent.trim();
			}));
		}
		const expected = ['skip', 'brand', 'theme', 'q', 'filter-failing', 'wipe', 'sort-path', 'row'];
		assert.deepEqual(seen.filter((name) => expected.includes(name)), expected, `Tab goes to ${seen}`);
		assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none', 'the focus is not seen');

		await page.keyboard.press('/');
		assert.equal(await page.evaluate(() => document.activeElement.id), 'q');
		await page.keyboard.type('host00123');
		await shows(['/job/report/instance/host00123/region/eu']);
		await page.keyboard.press('ArrowDown');
		await page.keyboard.press('Enter');
		await page.getByTestId('group-head').waitFor();
		assert.equal(await page.getByTestId('group-head').getAttribute('data-group'), '/job/report/instance/host00123/region/eu');
		await page.goBack();
		await search().focus();
		await page.keyboard.press('Escape');
		await eventually('the search is empty', shown, (n) => n === settings.groups + 2);
	},

	async 'delete all that the search shows'(h) {
		await h.go(page);
		assert.equal(await page.getByTestId('delete-shown').count(), 0, 'what no selector can say is not offered');
		await type('job=inventory region=ap');
		await eventually('the search', shown, (n) => n === 666);
		await page.getByTestId('delete-shown').click();
		await page.getByTestId('confirm').getByText('Delete 666 groups?').waitFor();
		assert.match(await page.locator('#confirm-list').innerText(), /… and 656 more/);
		await picture(page, 'delete-shown-light');
		await page.keyboard.press('Escape');
		await page.locator('dialog[open]').waitFor({ state: 'detached' });
		assert.equal(await shown(), 666);

		await page.getByTestId('delete-shown').click();
		await page.getByTestId('confirm-go').click();
		await page.getByTestId('empty').waitFor();
		const metrics = (await ask('GET', `${settings.url}/metrics`)).text;
		assert.ok(!/job="inventory",region="ap"/.test(metrics), 'deleted groups are still scraped');
		assert.ok(/job="inventory",region="eu"/.test(metrics), 'others were deleted, too');
	},

	async 'delete all, once the word is typed'(h) {
		await h.go(page);
		await page.getByTestId('wipe').click();
		assert.ok(await page.getByTestId('confirm-go').isDisabled());
		await page.locator('#confirm-word').fill('wipe');
		await page.getByTestId('confirm-go').click();
		await eventually('no group', shown, (n) => n === 0);
		await page.getByTestId('push-curl').waitFor(); // how to begin
		await picture(page, 'empty-light');
		assert.ok(!/run_seconds/.test((await ask('GET', `${settings.url}/metrics`)).text));
	},
});
