#include "textflag.h"

// How often each byte of a block counts in the second sum.
DATA adlerWeights<>+0(SB)/8, $0x191a1b1c1d1e1f20
DATA adlerWeights<>+8(SB)/8, $0x1112131415161718
DATA adlerWeights<>+16(SB)/8, $0x090a0b0c0d0e0f10
DATA adlerWeights<>+24(SB)/8, $0x0102030405060708
GLOBL adlerWeights<>(SB), RODATA|NOPTR, $32

// Ones of 16 bits, to add up neighbours.
DATA adlerOnes<>+0(SB)/8, $0x0001000100010001
DATA adlerOnes<>+8(SB)/8, $0x0001000100010001
DATA adlerOnes<>+16(SB)/8, $0x0001000100010001
DATA adlerOnes<>+24(SB)/8, $0x0001000100010001
GLOBL adlerOnes<>(SB), RODATA|NOPTR, $32

// func adlerBlocks(p *byte, n int) (bytes, before, weighted uint64)
//
// All sums are of 32-bit lanes: Y1 of bytes, Y2 of what Y1 was before each block, Y3 of weighted bytes.
TEXT ·adlerBlocks(SB), NOSPLIT, $0-40
	MOVQ    p+0(FP), SI
	MOVQ    n+8(FP), CX
	VPXOR   Y0, Y0, Y0
	VPXOR   Y1, Y1, Y1
	VPXOR   Y2, Y2, Y2
	VPXOR   Y3, Y3, Y3
	VMOVDQU adlerWeights<>(SB), Y4
	VMOVDQU adlerOnes<>(SB), Y5

block:
	VMOVDQU    (SI), Y6
	VPADDD     Y1, Y2, Y2
	VPSADBW    Y0, Y6, Y7      // four sums of eight bytes
	VPADDD     Y7, Y1, Y1
	VPMADDUBSW Y4, Y6, Y6      // pairs: at most 255*(32+31)
	VPMADDWD   Y5, Y6, Y6
	VPADDD     Y6, Y3, Y3
	ADDQ       $32, SI
	DECQ       CX
	JNZ        block

	// Lanes become 64 bits wide before they are added up.
	VPMOVZXDQ    X1, Y8
	VEXTRACTI128 $1, Y1, X1
	VPMOVZXDQ    X1, Y1
	VPADDQ       Y8, Y1, Y1
	VPMOVZXDQ    X2, Y8
	VEXTRACTI128 $1, Y2, X2
	VPMOVZXDQ    X2, Y2
	VPADDQ       Y8, Y2, Y2
	VPMOVZXDQ    X3, Y8
	VEXTRACTI128 $1, Y3, X3
	VPMOVZXDQ    X3, Y3
	VPADDQ       Y8, Y3, Y3

	VEXTRACTI128 $1, Y1, X8
	VPADDQ       X8, X1, X1
	VPSRLDQ      $8, X1, X8
	VPADDQ       X8, X1, X1
	MOVQ         X1, bytes+16(FP)
	VEXTRACTI128 $1, Y2, X8
	VPADDQ       X8, X2, X2
	VPSRLDQ      $8, X2, X8
	VPADDQ       X8, X2, X2
	MOVQ         X2, before+24(FP)
	VEXTRACTI128 $1, Y3, X8
	VPADDQ       X8, X3, X3
	VPSRLDQ      $8, X3, X8
	VPADDQ       X8, X3, X3
	MOVQ         X3, weighted+32(FP)
	VZEROUPPER
	RET
