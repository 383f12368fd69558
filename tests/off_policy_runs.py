"""Small recipes of TD3, and runs of them."""

STATES = """\
[Environment]
EnvType = classic_control
EnvID = Pendulum-v1
MaxStepPerEpisode = 24
LearningReward = raw

[TD3]
ActorHiddenSizes = 16, 12
CriticHiddenSizes = 16, 12
RandomSteps = 40
ReplaySize = 90
ReplayBatchSize = 8
GradientSteps = 0.5
StepsPerUpdate = 16

[Run]
Agent = TD3
TotalEnvSteps = 256
NumEnv = 2
saveCkptEvery = 4
LearnerThreads = 1
"""
"""The buffer of 90 steps is overwritten on the way, and updates end within episodes."""

FRAMES = STATES.replace(
    "MaxStepPerEpisode = 24",
    """\
MaxStepPerEpisode = 24
ObservationType = pixels
PreProcHeight = 40
PreProcWidth = 40
StateStackSize = 3""",
).replace(
    "[TD3]",
    """\
[PPO]
ConvChannels = 4, 8, 8
ThirdKernel = 3
HiddenSize = 16
FeatureDim = 16

[TD3]""",
)
