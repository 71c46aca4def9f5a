"""The peer: pix2pix.py's networks and losses in PyTorch, as one would write them there. train_step.py times it.

The published recipe and the default, layer by layer those of pix2pix.py (train_step.py compares their parameters), with
channels_last tensors, autocast, PyTorch's fused Adam, and, if asked, torch.compile for each network. dlib's network has
random weights here: how long it takes does not depend on them.
"""

import torch
import torch._functorch.config
import torch.nn.functional as F
from torch import nn

REGIONS, CODE = 7, 149
LEVELS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
"""Of dlib's network: filters and residual blocks of each level."""
BOX = (0.270, 0.161, 0.955, 0.846)
"""Where dlib's chip lies in a picture: top, left, bottom, right."""


def normalisation(channels: int, published: bool) -> nn.Module:
    return nn.BatchNorm2d(channels, 1e-3) if published else nn.GroupNorm(max(1, channels // 16), channels, 1e-3)


class Down(nn.Module):
    """Convolution, normalisation, LeakyReLU."""

    def __init__(self, inputs: int, filters: int, published: bool, norm=True, kernel=4, stride=2, padding=1):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, filters, kernel, stride, padding, bias=not norm)
        self.norm = normalisation(filters, published) if norm else nn.Identity()

    def forward(self, x):
        return F.leaky_relu(self.norm(self.convolution(x)), 0.2)


class Up(nn.Module):
    """Upsampling, normalisation, modulation by regions where the recipe has it, dropout, ReLU."""

    def __init__(self, inputs: int, filters: int, published: bool, dropout: float):
        super().__init__()
        self.published, self.dropout = published, dropout
        if published:
            self.convolution = nn.ConvTranspose2d(inputs, filters, 4, 2, 1, bias=False)
        else:
            self.convolution = nn.Conv2d(inputs, filters, 3, padding=1, bias=False)
            self.dense = nn.Linear(CODE, REGIONS * 2 * filters)
        self.norm = normalisation(filters, published)

    def forward(self, x, code, masks):
        x = self.convolution(x)
        if not self.published:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = self.norm(x)  # (B, C, H, W)
        if not self.published:
            b, c, h, w = x.shape
            shares = F.avg_pool2d(masks, masks.shape[-1] // h)
            shares = shares / (shares.sum(1, keepdim=True) + 1e-3)  # (B, 7, H, W)
            changes = self.dense(code).view(b, REGIONS, 2 * c)
            changes = shares.permute(0, 2, 3, 1).reshape(b, h * w, REGIONS) @ changes  # (B, H W, 2 C)
            gain, offset = changes.view(b, h, w, 2 * c).permute(0, 3, 1, 2).chunk(2, 1)  # channels last, too
            x = x * (1 + gain) + offset
        return F.relu(F.dropout(x, self.dropout))


class Generator(nn.Module):
    def __init__(self, size: int, published: bool):
        super().__init__()
        self.published = published
        widths = [min(32 * 2**i, 256) for i in range(size.bit_length() - 1)]
        self.downs = nn.ModuleList(
            Down(inputs, width, published, norm=i > 0)
            for i, (inputs, width) in enumerate(zip([REGIONS + 3, *widths], widths, strict=False))
        )
        inputs, self.ups = widths[-1] + CODE, nn.ModuleList()
        for i, width in enumerate(reversed(widths[:-1])):
            self.ups.append(Up(inputs, width, published, 0.5 if i < 3 else 0.0))
            inputs = 2 * width
        if published:
            self.last = nn.ConvTranspose2d(inputs, 3, 4, 2, 1)
        else:
            self.ups.append(Up(inputs, 32, published, 0.0))
            self.full = Down(32 + REGIONS + 3, 32, published, norm=False, kernel=3, stride=1)
            self.last = nn.Conv2d(32, 3, 3, padding=1)

    def forward(self, masks_and_colors, code):
        masks, colors = masks_and_colors[:, :REGIONS], masks_and_colors[:, REGIONS:]
        if not self.published:
            code = torch.cat([code[:, :21], 24 * code[:, 21:]], 1)
        x, skips = masks_and_colors, []
        for down in self.downs:
            x = down(x)
            skips.append(x)
        x = torch.cat([skips.pop(), code[:, :, None, None].to(x.dtype)], 1)
        for up in self.ups:
            x = up(x, code, masks)
            if skips:
                x = torch.cat([x, skips.pop()], 1)
        if self.published:
            return torch.sigmoid(self.last(x).float())
        x = self.full(torch.cat([x, masks_and_colors.to(x.dtype)], 1))
        return torch.sigmoid(self.last(x).float() + torch.logit(colors.clamp(0.01, 0.99)))


class Discriminator(nn.Module):
    def __init__(self, published: bool):
        super().__init__()
        w = 64 if published else 32
        self.layers = nn.Sequential(
            Down(REGIONS + 3, w, published, norm=False),
            Down(w, 2 * w, published),
            Down(2 * w, 4 * w, published),
            Down(4 * w, 8 * w, published, stride=1),
            nn.Conv2d(8 * w, 1, 4, padding=1),
        )

    def forward(self, masks, picture):
        return self.layers(torch.cat([masks, picture], 1)).float()


class FaceNetwork(nn.Module):
    """dlib's ResNet: pictures (B, 3, 150, 150) -> descriptors (B, 128), or the features of its first levels."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 32, 7, 2), nn.Linear(256, 128, bias=False)
        self.levels, inputs = nn.ModuleList(), 32
        for i, (filters, count) in enumerate(LEVELS):
            level = nn.ModuleList()
            for j in range(count):
                halve = i > 0 and j == 0
                first = nn.Conv2d(inputs, filters, 3, 2 if halve else 1, padding=0 if halve else 1)
                level.append(nn.ModuleList([first, nn.Conv2d(filters, filters, 3, padding=1)]))
                inputs = filters
            self.levels.append(level)
        self.requires_grad_(False)

    def forward(self, x, levels: int):
        x = F.max_pool2d(F.relu(self.first(x - 0.45)), 3, 2)
        features = []
        for level in self.levels[:levels]:
            for first, second in level:
                y = second(F.relu(first(x)))
                if first.stride[0] == 2:
                    x = F.avg_pool2d(x, 2)
                shape = [max(sizes) for sizes in zip(x.shape[1:], y.shape[1:], strict=True)]
                x, y = (F.pad(t, [p for n, m in zip(shape[::-1], t.shape[:0:-1], strict=True) for p in (0, n - m)])
                        if list(t.shape[1:]) != shape else t for t in (x, y))  # fmt: skip
                x = F.relu(x + y)
            features.append(x)
        return self.last(x.mean((2, 3))) if levels == len(LEVELS) else features


class Step:
    """One training step of pix2pix.py on a batch of noise, and what it counts."""

    def __init__(self, size: int, batch_size: int, published: bool, bfloat16: bool, compiled: bool):
        self.published, self.bfloat16 = published, bfloat16
        networks = Generator(size, published), Discriminator(published), FaceNetwork()
        networks = [network.to(memory_format=torch.channels_last) for network in networks]
        self.g_weights, self.d_weights = (list(network.parameters()) for network in networks[:2])
        self.average = [weight.detach().clone() for weight in self.g_weights]
        rate = 2e-4 if published else 4e-4
        self.optimizers = [
            torch.optim.Adam(weights, rate, (0.5, 0.999), fused=True) for weights in (self.g_weights, self.d_weights)
        ]
        self.parameters = [sum(weight.numel() for weight in weights) for weights in (self.g_weights, self.d_weights)]
        torch._functorch.config.donated_buffer = False  # both losses go back through one pass of the discriminator
        self.generator, self.discriminator, self.faces = map(torch.compile, networks) if compiled else networks
        bits = torch.randint(0, 128, (2, batch_size, 1, size, size), dtype=torch.uint8)
        self.batch = (
            bits,
            torch.rand(batch_size, 3, size, size),
            torch.rand(batch_size, 7, 3),
            torch.rand(batch_size, 128),
        )

    def __call__(self) -> float:
        """One step; the generator's loss."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            g_loss, d_loss = self.losses(*self.batch)
        g_gradients = torch.autograd.grad(g_loss, self.g_weights, retain_graph=True)
        d_gradients = torch.autograd.grad(d_loss, self.d_weights)
        for optimizer, weights, gradients in zip(
            self.optimizers, (self.g_weights, self.d_weights), (g_gradients, d_gradients), strict=True
        ):
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
            optimizer.step()
        if not self.published:
            torch._foreach_lerp_(self.average, [weight.detach() for weight in self.g_weights], 0.001)
        return float(g_loss.detach())

    def losses(self, bits, image, colors, face_id):
        masks, masks2 = ((bits >> torch.arange(7).view(7, 1, 1)) & 1).float().unbind()  # (B, 7, S, S) each
        masks, masks2 = (x.contiguous(memory_format=torch.channels_last) for x in (masks, masks2))
        cmask, cmask2 = (color_map(x, colors) for x in (masks, masks2))
        target = (image * masks.amax(1, keepdim=True)).contiguous(memory_format=torch.channels_last)
        code = torch.cat([colors.flatten(1), face_id], 1)
        maps, maps2 = torch.cat([masks, cmask], 1), torch.cat([masks2, cmask2], 1)
        if self.published:
            rec, man = self.generator(maps, code), self.generator(maps2, code)
            both = torch.cat([rec, man])
        else:
            both = self.generator(torch.cat([maps, maps2]), torch.cat([code, code]))
            rec, man = both.chunk(2)
        real = self.discriminator(masks, target)
        fake = self.discriminator(torch.cat([masks, masks2]), both)
        agree = (masks == masks2).all(1, keepdim=True).float()
        difference = (target - man).abs()
        g_loss = 2 * bce(fake, 1) + 100 * ((target - rec).abs().mean() + (difference * agree).mean())
        g_loss = g_loss + 100 * ((0.08 - difference).clamp(0.04, 0.08) * (1 - agree)).mean()
        if not self.published:
            g_loss = g_loss + 15 * self.identity_loss(face_id, both, torch.cat([cmask, cmask2]))
            g_loss = g_loss + 30 * self.perceptual_loss(target, rec)
            g_loss = g_loss + 30 * (color_loss(rec, masks, colors) + color_loss(man, masks2, colors))
        return g_loss, bce(real, 1) + 2 * bce(fake, 0)

    def identity_loss(self, face_id, picture, colors):
        shaded = colors + (picture - colors).mean(1, keepdim=True)
        top, left, bottom, right = (round(edge * picture.shape[-1]) for edge in BOX)
        chips = resize(shaded[:, :, top:bottom, left:right])
        return 2 * ((face_id.repeat(2, 1) - self.faces(chips, len(LEVELS)).float()) ** 2).sum(1).mean()

    def perceptual_loss(self, target, picture):
        with torch.no_grad():
            target_features = self.faces(resize(target), 3)
        pairs = zip(target_features, self.faces(resize(picture), 3), strict=True)
        differences = ((F.normalize(a.float(), dim=1) - F.normalize(b.float(), dim=1)) ** 2 for a, b in pairs)
        return sum(difference.sum(1).mean() for difference in differences) / 3


def bce(logits, label: int):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def resize(x):
    return F.interpolate(x, (150, 150), mode="bilinear", align_corners=False)


def color_map(masks, colors):
    sums = torch.einsum("brhw,brc->bchw", masks, colors)
    return (sums / masks.sum(1, keepdim=True).clamp(1)).contiguous(memory_format=torch.channels_last)


def color_loss(picture, masks, colors):
    pixels = masks.sum((2, 3))[..., None]
    means = torch.einsum("brhw,bchw->brc", masks, picture) / pixels.clamp(1)
    return torch.where(pixels > 0, (means - colors).abs(), 0.0).mean()
