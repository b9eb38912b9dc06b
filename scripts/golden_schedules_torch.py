"""Golden traces of PyTorch's schedulers, for tests/formulas/schedule_golden.rs.

    pip install torch==2.15.0
    python scripts/golden_schedules_torch.py        # writes tests/golden/schedules/torch.csv and torch_plateau.csv

Each row is a case: the equivalent lrsched spec, the run, and the optimizer's learning rate (and momentum, if it cycles) at every step.
Computed in float64.
"""

import csv
import math
import warnings
from pathlib import Path

import torch
from torch.optim import lr_scheduler as s

from golden_schedules_metrics import PLATEAU, join, metric_sequences

warnings.filterwarnings("ignore", category=UserWarning)
OUT = Path(__file__).resolve().parent.parent / "tests" / "golden" / "schedules"


def sgd(lr):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)


def trace(lr, epochs, steps, make, per_epoch, momentum):
    """Rates and momenta of every step; the scheduler is stepped once an epoch or once a step."""
    optimizer = sgd(lr)
    scheduler = make(optimizer)
    rates, momenta = [], []
    for t in range(epochs * steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        momenta.append(float(optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        if not per_epoch:
            scheduler.step()
        elif (t + 1) % steps == 0:
            scheduler.step()
    return rates, momenta if momentum else []


def cases():
    """spec, lr, epochs, steps per epoch, scheduler, stepped per epoch, momentum cycles."""
    for lr, epochs, steps in [(0.1, 12, 5), (0.7, 7, 9)]:
        total = epochs * steps

        def epoch(spec, make, lr=lr, epochs=epochs, steps=steps):
            return spec, lr, epochs, steps, make, True, False

        def step(spec, make, momentum=False, lr=lr, epochs=epochs, steps=steps):
            return spec, lr, epochs, steps, make, False, momentum

        yield step("constant", lambda o: s.LambdaLR(o, lambda t: 1.0))
        yield epoch("step:factor=0.5,drop-every=3", lambda o: s.StepLR(o, 3, gamma=0.5))
        yield epoch("step:factor=0.1,drop-every=1", lambda o: s.StepLR(o, 1, gamma=0.1))
        yield step("step:factor=0.3,drop-every=13st", lambda o: s.StepLR(o, 13, gamma=0.3))
        yield epoch("piecewise:milestones=2,5,factor=0.3", lambda o: s.MultiStepLR(o, [2, 5], gamma=0.3))
        yield epoch("piecewise:milestones=3,3,6", lambda o: s.MultiStepLR(o, [3, 3, 6], gamma=0.1))
        yield step("piecewise:milestones=13st,40st,41st,factor=0.5", lambda o: s.MultiStepLR(o, [13, 40, 41], gamma=0.5))
        yield epoch("exponential:decay-rate=0.9,staircase", lambda o: s.ExponentialLR(o, 0.9))
        yield step("exponential:decay-rate=0.97,decay-steps=1", lambda o: s.ExponentialLR(o, 0.97))
        yield step("time:decay=0.05", lambda o: s.LambdaLR(o, lambda t: 1 / (1 + 0.05 * t)))
        yield step("natural-exp:k=0.3,decay-steps=7", lambda o: s.LambdaLR(o, lambda t: math.exp(-0.3 * t / 7)))
        yield step("linear", lambda o: s.LinearLR(o, 1.0, 0.0, total))
        yield step("linear:end-lr=0.2x,over=31st", lambda o: s.LinearLR(o, 1.0, 0.2, 31))
        yield epoch("expr:lr*max(0.3,1-e*0.7/4)", lambda o: s.LinearLR(o, 1.0, 0.3, 4))
        yield step("polynomial", lambda o: s.PolynomialLR(o, total, power=2.0))
        yield step("polynomial:power=0.5,over=40st", lambda o: s.PolynomialLR(o, 40, power=0.5))
        yield step("polynomial:power=3,over=1ep", lambda o: s.PolynomialLR(o, steps, power=3.0))
        yield step("cosine", lambda o: s.CosineAnnealingLR(o, total))
        yield step("cosine:end-lr=0.01", lambda o: s.CosineAnnealingLR(o, total, eta_min=0.01))
        yield step("cosine:over=20st,end-lr=0.001", lambda o: s.CosineAnnealingLR(o, 20, eta_min=0.001))
        yield step("cosine:over=25st", lambda o: s.CosineAnnealingLR(o, 25))
        yield step("cosine-restarts:period=2", lambda o: s.CosineAnnealingWarmRestarts(o, 2 * steps))
        yield step("cosine-restarts:period=7st,period-mult=2,end-lr=0.003",
                   lambda o: s.CosineAnnealingWarmRestarts(o, 7, T_mult=2, eta_min=0.003))
        yield step("cosine-restarts:period=4st,period-mult=3", lambda o: s.CosineAnnealingWarmRestarts(o, 4, T_mult=3))
        for up, down in [(10, None), (7, 4), (1, 1), (200, None)]:
            size = f"step-size={up}st" + (f",step-size-down={down}st" if down else "")

            def clr(mode, **k):
                return lambda o, up=up, down=down: s.CyclicLR(o, lr, 1.5, step_size_up=up, step_size_down=down, mode=mode, **k)

            yield step(f"triangular:max-lr=1.5,{size}", clr("triangular", cycle_momentum=False))
            yield step(f"triangular:max-lr=1.5,{size},base-momentum=0.8,max-momentum=0.9", clr("triangular"), True)
            yield step(f"triangular2:max-lr=1.5,{size},base-momentum=0.8,max-momentum=0.9", clr("triangular2"), True)
            yield step(f"exp-range:max-lr=1.5,{size},gamma=0.99,base-momentum=0.8,max-momentum=0.9",
                       clr("exp_range", gamma=0.99), True)
        for pct in [0.3, 0.25, 0.1, 0.5, 0.05]:
            for anneal in ["cos", "linear"]:
                for three in [False, True]:
                    spec = f"one-cycle:max-lr=0.4,pct-start={pct},anneal={anneal}" + (",three-phase" if three else "")
                    yield step(spec, lambda o, pct=pct, anneal=anneal, three=three: s.OneCycleLR(
                        o, 0.4, total_steps=total, pct_start=pct, anneal_strategy=anneal, three_phase=three), True)
        yield step("one-cycle:max-lr=2,div-factor=10,final-div-factor=100,base-momentum=0.7,max-momentum=0.99",
                   lambda o: s.OneCycleLR(o, 2.0, total_steps=total, div_factor=10, final_div_factor=100,
                                          base_momentum=0.7, max_momentum=0.99), True)
        yield step("cosine:warmup=10st,warmup-from=0.1", lambda o: s.SequentialLR(o, [
            s.LinearLR(o, 0.1, 1.0, 10), s.CosineAnnealingLR(o, total - 10)], [10]))
        yield step("step:warmup=2ep,warmup-from=0.25,drop-every=1ep,factor=0.5", lambda o: s.SequentialLR(o, [
            s.LinearLR(o, 0.25, 1.0, 2 * steps), s.StepLR(o, steps, 0.5)], [2 * steps]))
        yield step("constant:lr=0.5x,for=11st;exponential:decay-rate=0.9,decay-steps=1", lambda o: s.SequentialLR(o, [
            s.ConstantLR(o, 0.5, 1000), s.ExponentialLR(o, 0.9)], [11]))
        yield step("linear:for=2ep,end-lr=0.1x;cosine:for=10st;constant:lr=0.1x", lambda o: s.SequentialLR(o, [
            s.LinearLR(o, 1.0, 0.1, 2 * steps), s.CosineAnnealingLR(o, 10), s.ConstantLR(o, 0.1, 1000)],
            [2 * steps, 2 * steps + 10]))
        yield step("wsd:warmup=8st,warmup-from=0.2,decay=15st,end-lr=0.01x", lambda o: s.SequentialLR(o, [
            s.LinearLR(o, 0.2, 1.0, 8), s.ConstantLR(o, 1.0, 1000), s.LinearLR(o, 1.0, 0.01, 15)], [8, total - 15]))
        yield step("inverse-sqrt:warmup=9st", lambda o: s.LambdaLR(o, lambda t: math.sqrt(9 / max(t, 9))))
        yield step("inverse-sqrt:warmup=9st,warmup-from=0", lambda o: s.LambdaLR(
            o, lambda t: 3 * min(max(t, 1e-300) ** -0.5, t * 9 ** -1.5)))
        yield step("expr:lr*0.5^floor((1+epoch)/3)*exp(-(t/50)^2)", lambda o: s.LambdaLR(
            o, lambda t: 0.5 ** ((1 + t // steps) // 3) * math.exp(-(t / 50) ** 2)))


def plateau():
    for factor, patience, threshold, mode, cooldown, min_lr in PLATEAU:
        for monitor, direction in [("val_loss", "min"), ("val_accuracy", "max")]:
            spec = (f"plateau:factor={factor},patience={patience},threshold={threshold},threshold-mode={mode},"
                    f"cooldown={cooldown},min-lr={min_lr},monitor={monitor}")
            for metrics in metric_sequences():
                optimizer = sgd(0.2)
                scheduler = s.ReduceLROnPlateau(optimizer, direction, factor=factor, patience=patience, threshold=threshold,
                                                threshold_mode=mode, cooldown=cooldown, min_lr=min_lr)
                rates = []
                for metric in metrics:
                    rates.append(float(optimizer.param_groups[0]["lr"]))
                    scheduler.step(metric)
                yield spec, 0.2, metrics, rates


with open(OUT / "torch.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["spec", "lr", "epochs", "steps_per_epoch", "learning_rates", "momenta"])
    for spec, lr, epochs, steps, make, per_epoch, momentum in cases():
        rates, momenta = trace(lr, epochs, steps, make, per_epoch, momentum)
        out.writerow([spec, lr, epochs, steps, join(rates), join(momenta)])
with open(OUT / "torch_plateau.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["spec", "lr", "metrics", "learning_rates"])
    out.writerows([spec, lr, join(metrics), join(rates)] for spec, lr, metrics, rates in plateau())
