"""Books to judged instances: passages a second with one task and with two, memory, calls for each passage.

    python tests/benchmarks/corpus_pipeline.py [--passages 20000] [--latency 0.1] [--concurrency 16]

Writes books of recognised text (100 passages each), then lets himed-data run all steps over them with one task and,
anew, with two, against an endpoint that answers after a fixed time, as a model does that has room for more requests.
Memory is that of all of himed-data's processes, read every second.
"""

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import orjson

from training.corpus.passages.blocks import PAGE_MARK

PER_BOOK = 100
DISEASES = "मधुमेह क्षय-रोग दमा पीलिया मलेरिया खसरा निमोनिया गठिया मिर्गी एनीमिया हैजा टाइफाइड डेंगू अतिसार उच्च-रक्तचाप".split()
SIGNS = "बुखार खाँसी थकान सिरदर्द उल्टी कमजोरी सूजन चक्कर घबराहट खुजली पीड़ा कब्ज अनिद्रा बेचैनी साँस-फूलना".split()
CAUSES = "जीवाणु विषाणु कुपोषण मोटापा तनाव धूम्रपान प्रदूषण दूषित-जल दूषित-भोजन वंशानुगत-कारण संक्रमण कृमि".split()
CARE = "विश्राम संतुलित-आहार व्यायाम दवा टीका शल्य-क्रिया जल-सेवन योग औषधि-काढ़ा नियमित-जाँच".split()


def passage(number: int) -> str:
    """Some sentences that no other passage has."""
    chance = random.Random(number)
    disease, (sign, other), cause, care = (
        chance.choice(DISEASES), chance.sample(SIGNS, 2), chance.choice(CAUSES), chance.choice(CARE),
    )  # fmt: skip
    days, share = chance.randint(2, 60), chance.randint(1, 99)
    return (
        f"{disease} के समूह {number} में {sign} और {other} सबसे पहले दिखाई देते हैं। इसका मुख्य कारण {cause} माना जाता है। "
        f"लगभग {share} प्रतिशत रोगियों में {days} दिन के भीतर सुधार होता है। उपचार में {care} का महत्व सबसे अधिक है। "
        f"समय पर उपचार न मिलने पर {other} बढ़ जाता है और रोगी को अस्पताल ले जाना पड़ता है।"
    )


def write_books(folder: Path, passages: int) -> None:
    """Recognised books of 100 passages, five on a page."""
    folder.mkdir()
    for first in range(0, passages, PER_BOOK):
        numbers = range(first, min(first + PER_BOOK, passages))
        pages = [numbers[place : place + 5] for place in range(0, len(numbers), 5)]
        text = "".join("\n\n".join(map(passage, page)) + f"\n{PAGE_MARK}\n" for page in pages)
        (folder / f"book-{first // PER_BOOK:04}.mmd").write_text(text, encoding="utf-8")


def write_config(file: Path, port: int, concurrency: int, folder: str) -> None:
    """A corpus with all steps, on two models of the endpoint."""
    model = "{{base_url: 'http://127.0.0.1:{port}/v1', model: {name}, family: {family}, concurrency: {concurrency}}}"
    writer = model.format(port=port, name="writer", family="llama", concurrency=concurrency)
    judge = model.format(port=port, name="judge", family="qwen", concurrency=concurrency)
    file.write_text(f"sources: books\nfolder: {folder}\nwriter: {writer}\njudge: {{model: {judge}}}\n")


def run(config: Path, tasks: int) -> tuple[float, list[float]]:
    """Seconds of a whole run, and the memory in MiB of its processes at every second."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "training.corpus.cli", "run", str(config), "--tasks", str(tasks)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    memory = []
    while process.poll() is None:
        time.sleep(1)
        memory.append(memory_of(process.pid))
    # 1: an endpoint that fails now and then leaves parts for another run.
    if process.returncode not in (0, 1):
        sys.exit(f"himed-data run ended with {process.returncode}")
    return time.perf_counter() - started, memory


def memory_of(root: int) -> float:
    """Proportional set size of a process and all below it, in MiB: shared pages are counted once."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    waiting, kib = [root], 0
    while waiting:
        pid = waiting.pop()
        waiting += parents.get(pid, [])
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        kib += int(rollup.partition("\nPss:")[2].split()[0])
    return kib / 1024


def main() -> None:
    """Measure both, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that a reply takes")
    parser.add_argument("--concurrency", type=int, default=16, help="requests in flight, for each task and model")
    arguments = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = [sys.executable, str(Path(__file__).with_name("corpus_endpoint.py")), str(port), str(arguments.latency)]
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_books(folder / "books", arguments.passages)
        for tasks in (1, 2):
            config = folder / f"corpus{tasks}.yaml"
            write_config(config, port, arguments.concurrency, f"made{tasks}")
            server = subprocess.Popen(endpoint)
            try:
                time.sleep(1)
                found[tasks] = run(config, tasks)
            finally:
                server.terminate()
                server.wait()
        status = subprocess.run(
            [sys.executable, "-m", "training.corpus.cli", "status", str(config), "--json"],
            check=True, capture_output=True,
        )  # fmt: skip
        report(arguments.passages, found, orjson.loads(status.stdout))
        same = all(
            other.read_bytes() == file.read_bytes()
            for file in (folder / "made1" / "judge").glob("*.jsonl")
            if (other := folder / "made2" / "judge" / file.name)
        )
        print(f"the judged instances of both runs are {'the same bytes' if same else 'DIFFERENT'}")


def report(passages: int, found: dict[int, tuple[float, list[float]]], status: list[dict]) -> None:
    """Print the tables."""
    print(f"{'tasks':>5} {'seconds':>8} {'passages/s':>10} {'ratio':>6}  MiB in each fifth of the run (median), most")
    for tasks, (seconds, memory) in found.items():
        fifths = [memory[len(memory) * part // 5 : len(memory) * (part + 1) // 5] for part in range(5)]
        shown = " ".join(f"{median(part):.0f}" if part else "-" for part in fifths)
        ratio = found[1][0] / seconds
        print(f"{tasks:5} {seconds:8.1f} {passages / seconds:10.1f} {ratio:6.2f}  {shown}, {max(memory):.0f}")
    calls = {purpose: spent["calls"] for step in status for purpose, spent in step["spent"].items()}
    each = ", ".join(f"{count / passages:.3f} {purpose}" for purpose, count in calls.items())
    print(f"calls for each of {passages:,} passages: {sum(calls.values()) / passages:.2f} ({each})")
    for step in status:
        for flow in step["flows"]:
            whole = flow["in"] == flow["out"] + sum(flow["left"].values())
            counts = f"{flow['in']:,} in, {flow['out']:,} out, {flow['left']}"
            print(f"  {step['step']}/{flow['stage']}: {counts}{'' if whole else ' DOES NOT ADD UP'}")
    print(f"machine: {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
