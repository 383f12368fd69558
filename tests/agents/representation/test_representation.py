"""The heads on the policy's backbone: their losses, and where their gradient goes."""

import pytest
import torch
from torch import Tensor, nn

from agents.ppo.gradient_steps import GradientSteps
from agents.ppo.learner import Learner
from agents.ranks import Ranks
from agents.representation.byol import BYOLHead
from agents.representation.head import Embeddings
from agents.representation.representation import RepresentationLearning, SlowSchedule
from agents.representation.views import ViewPair, make_view
from agents.rollout import RolloutBuffer
from tests.agents.scripts import draw_script
from tests.agents.small import (
    FRAME,
    Kind,
    drawn_from,
    filled,
    gradients_of,
    make_agent,
    make_learner,
    parameters_of,
    settings_with,
    trained_parameters,
)
from training.figures.collapse_watch import CollapseWatch

T, N = 6, 4
BYOL, BARLOW = Kind(FRAME, head="BYOL"), Kind(FRAME, head="Barlow-Twins")
HEADS = pytest.mark.parametrize("kind", [BYOL, BARLOW], ids=["BYOL", "Barlow-Twins"])


def some_rollout(kind: Kind, seed: int = 0) -> RolloutBuffer:
    shape = kind.rollout_shape(T, N)
    return filled(draw_script(shape, seed), shape)


def some_views(count: int = 12, seed: int = 0) -> ViewPair:
    generator = torch.Generator().manual_seed(seed)
    return ViewPair(
        *(
            torch.randint(0, 256, (count, 2, 36, 36), generator=generator, dtype=torch.uint8)
            for _ in range(2)
        )
    )


def representation_of(learner: Learner) -> RepresentationLearning:
    assert learner.representation is not None
    learner.tie()
    return learner.representation


def normalised(features: Tensor) -> Tensor:
    """Batch normalisation from its definition."""
    return (features - features.mean(0)) / (features.var(0, correction=0) + 1e-5).sqrt()


def projected(layers: nn.Module, features: Tensor) -> Tensor:
    """Linear, batch normalisation, rectifier, linear, from the layers' weights."""
    weights = [parameter.double() for parameter in layers.parameters()]
    first, scale, shift, last, bias = weights
    hidden = torch.relu(normalised(features @ first.T) * scale + shift)
    return hidden @ last.T + bias


def test_the_loss_of_byol_is_that_of_the_paper() -> None:
    """Equation 2 of arXiv 2006.07733, sample by sample in double precision, both ways."""
    representation = representation_of(make_learner(BYOL, N))
    head, views = representation.head, some_views()
    assert isinstance(head, BYOLHead)
    with torch.no_grad():
        for parameter in representation.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator()))
        loss = representation(views)
        assert representation.slow_backbone is not None
        online = [representation.twin(view).double() for view in views]
        slow = [representation.slow_backbone(view).double() for view in views]
    targets = [projected(head.slow_projector, features) for features in slow]
    predictions = [
        projected(head.predictor, projected(head.projector, features)) for features in online
    ]
    total = 0.0
    for prediction, target in ((predictions[0], targets[1]), (predictions[1], targets[0])):
        for p, z in zip(prediction, target, strict=True):
            total += (p / p.norm() - z / z.norm()).square().sum().item() / len(target)
    assert float(loss) == pytest.approx(total, rel=1e-4)


@HEADS
def test_the_backbone_gets_the_gradient_of_both_objectives(ranks: Ranks, kind: Kind) -> None:
    learner = make_learner(kind, N)
    views = some_views()
    agent = make_agent(ranks, learner, optimizer=still(learner))
    agent.learn(some_rollout(kind))
    both = gradients_of(learner)

    alone = make_learner(Kind(FRAME), N)
    agent = make_agent(ranks, alone, optimizer=still(alone))
    agent.learn(some_rollout(kind))
    of_ppo = gradients_of(alone)

    representation = representation_of(make_learner(kind, N))
    rollout, samples = some_rollout(kind), drawn_order()
    views = representation.draw_views(
        rollout.observations(samples), rollout, samples, torch.Generator()
    )
    (representation.coef * representation(views)).backward()
    of_head = gradients_of(representation)
    for name, gradient in of_ppo.items():
        expected = gradient
        if name.startswith("policy.backbone."):
            expected = gradient + of_head[name.replace("policy.backbone", "twin")]
        torch.testing.assert_close(both[name], expected, rtol=1e-3, atol=1e-6)
    for name, gradient in of_head.items():
        if name.startswith("head."):
            torch.testing.assert_close(
                both[f"representation.{name}"], gradient, rtol=1e-3, atol=1e-6
            )


def drawn_order() -> Tensor:
    """All samples: one minibatch holds each of them, and no loss depends on their order."""
    return torch.arange(T * N)


def still(learner: Learner) -> torch.optim.Optimizer:
    return torch.optim.SGD(trained_parameters(learner), lr=0.0)


@pytest.mark.parametrize("project", [False, True])
def test_a_conflict_is_projected_away_where_it_is_asked_for(project: bool) -> None:
    """One way: PPO's gradient stays; what is left of the head's does not run against it."""
    kind = Kind(FRAME, head="BYOL", project_gradient=project)
    learner = make_learner(kind, N)
    representation = representation_of(learner)
    backbone = learner.policy.get_submodule("backbone")
    for own, shared in zip(representation.twin.parameters(), backbone.parameters(), strict=True):
        shared.grad = torch.ones_like(shared)
        own.grad = -torch.ones_like(own)
        own.grad.view(-1)[0] = 3.0
    ppo = flat(backbone)
    head = flat(representation.twin)
    cosine = representation.fold_gradient(backbone)
    assert float(cosine) == pytest.approx(float(ppo @ head / ppo.norm() / head.norm()), abs=1e-5)
    if project:
        head = head - ppo * (ppo @ head) / (ppo @ ppo)
    torch.testing.assert_close(flat(backbone), ppo + head)
    assert all(p.grad is None for p in representation.twin.parameters())


def flat(module: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])


@HEADS
def test_the_twin_is_the_backbone_after_any_number_of_steps(ranks: Ranks, kind: Kind) -> None:
    learner = make_learner(kind, N)
    settings = settings_with(epochs=2, num_minibatches=3)
    agent = make_agent(ranks, learner, settings=settings)
    before = parameters_of(learner.policy.get_submodule("backbone"))
    for seed in range(2):
        agent.learn(some_rollout(kind, seed))
    assert learner.representation is not None
    twin = parameters_of(learner.representation.twin)
    for name, parameter in learner.policy.get_submodule("backbone").named_parameters():
        assert torch.equal(twin[name], parameter), name
        assert not torch.equal(before[name], parameter), name


def test_the_slow_copies_follow_by_the_momentum(ranks: Ranks) -> None:
    learner = make_learner(BYOL, N)
    representation = representation_of(learner)
    assert representation.slow_backbone is not None
    agent = make_agent(ranks, learner)
    slow = parameters_of(representation.slow_backbone)
    agent.learn(some_rollout(BYOL))
    online = parameters_of(learner.policy.get_submodule("backbone"))
    for name, parameter in parameters_of(representation.slow_backbone).items():
        moved = 0.9 * slow[name] + 0.1 * online[name.removeprefix("slow.")]
        torch.testing.assert_close(parameter, moved)


def test_the_momentum_nears_one_along_a_cosine() -> None:
    schedule = SlowSchedule(0.9, cosine=True)
    assert [schedule.at(progress) for progress in (0.0, 0.5, 1.0)] == pytest.approx([0.9, 0.95, 1])
    assert SlowSchedule(0.9, cosine=False).at(0.7) == 0.9


@pytest.mark.parametrize(
    ("share", "count", "seen"), [(1.0, 10, 10), (0.3, 10, 3), (0.01, 10, 2), (0.5, 1, 1)]
)
def test_a_head_looks_at_its_share_of_a_minibatch(share: float, count: int, seen: int) -> None:
    with drawn_from(0):
        representation = RepresentationLearning(
            make_learner(Kind(FRAME), N).policy.get_submodule("backbone"),
            BYOLHead(8, 7, 6),
            make_view("none"),
            SlowSchedule(0.9, cosine=False),
            neighbours=True,
            coef=1.0,
            share=share,
            project_gradient=False,
        )
    rollout, samples = some_rollout(BYOL), torch.randperm(T * N)[:count]
    observations = rollout.observations(samples)
    views = representation.draw_views(observations, rollout, samples, torch.Generator())
    assert torch.equal(views.first, observations[:seen])
    assert torch.equal(views.second, rollout.next_observations(samples[:seen]))


@HEADS
def test_a_head_reports_how_alive_its_embedding_is(ranks: Ranks, kind: Kind) -> None:
    metrics = make_agent(ranks, make_learner(kind, N)).learn(some_rollout(kind))
    assert 1 <= float(metrics["representation/effective_rank"]) <= 6
    assert 0 < float(metrics["representation/feature_std"]) < 2
    assert -1 <= float(metrics["representation/view_alignment"]) <= 1
    assert -1 <= float(metrics["representation/gradient_cosine"]) <= 1
    assert "losses/representation" in metrics


class WithoutSafeguards(BYOLHead):
    """BYOL whose prediction is the projection, and whose target is trained too."""

    def loss(self, features: Embeddings, slow_features: Embeddings | None) -> Tensor:
        """Pull two projections together, with nothing that keeps others apart."""
        first, second = self.embed(features)
        return 2 * (2 - 2 * nn.functional.cosine_similarity(first, second).mean())


@pytest.mark.parametrize("safe", [True, False])
def test_the_diagnosis_tells_a_collapsed_embedding_from_a_live_one(
    ranks: Ranks, safe: bool
) -> None:
    """Without predictor and stop-gradient all samples end up in one place."""
    with drawn_from(0):
        policy = make_learner(Kind(FRAME), N).policy
        head = (BYOLHead if safe else WithoutSafeguards)(8, 32, 16)
        representation = RepresentationLearning(
            policy.get_submodule("backbone"),
            head,
            lambda frames, generator: frames,
            SlowSchedule(0.99, cosine=False),
            neighbours=False,
            coef=1.0,
            share=1.0,
            project_gradient=False,
        )
    optimizer = torch.optim.Adam(head.parameters(), lr=2e-2)
    for step in range(150):
        batch = some_views(32, step % 4)
        optimizer.zero_grad()
        representation(batch).backward()
        optimizer.step()
        representation.after_step(0.0)
    figures = representation.diagnose(some_views(32, 9))
    warning = CollapseWatch().look({name: float(value) for name, value in figures.items()})
    assert (warning is None) == safe


def test_a_step_needs_no_gradient_for_the_slow_copies(ranks: Ranks) -> None:
    learner = make_learner(BYOL, N)
    GradientSteps(learner, still(learner), None)
    names = [name for name, p in learner.named_parameters() if "slow" in name]
    assert names
    assert not any(learner.get_parameter(name).requires_grad for name in names)
