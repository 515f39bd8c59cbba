"""The training step of `training.Step`, as the library records it; see `programs` for how to read it."""

TRAINING_STEP = """
%0[8, 6] input
%1 int64[8] input
%2[6, 16] captured
%4[1, 16] captured
%8[16, 4] captured
%10[1, 4] captured
%51[6, 16] captured
%59[1, 16] captured
%67[16, 4] captured
%75[1, 4] captured
$0 = 0.9
$1 = 1.0
$2 = 0.01
$3 = 1.0
$4 = 0.09999999999999998
$5 = 0.1
%3[8, 16] = matmul(%0, %2)
%5[8, 16] = ewise_add(%3, %4[8, 16; 0, 1; 0])
%6[8, 16] = copy(%5)
%7[8, 16] = scalar_maximum(%6, 0)
%9[8, 4] = matmul(%7, %8)
%11[8, 4] = ewise_add(%9, %10[8, 4; 0, 1; 0])
%12[8, 4] = set_one_hot(%1)
%13[8, 1] = reduce_max(%11)
%14[8, 1] = scalar_minimum(%13, 3.4028234663852886e+38)
%15[8, 1] = scalar_maximum(%14, -3.4028234663852886e+38)
%16[8, 4] = ewise_sub(%11, %15[8, 4; 1, 0; 0])
%17[8, 4] = ewise_exp(%16)
%18[8, 1] = reduce_sum(%17)
%19[8, 1] = ewise_log(%18)
%20[8, 1] = ewise_add(%19, %15)
%21[8, 4] = ewise_mul(%11, %12)
%22[8, 1] = reduce_sum(%21)
%23[8] = ewise_sub(%20[8], %22[8])
%24[1] = reduce_sum(%23)
%25[] = scalar_div(%24[], 8.0)
%26[] = fill(1.0)
%27[8, 1] = reduce_max(%11)
%28[8, 1] = scalar_minimum(%27, 3.4028234663852886e+38)
%29[8, 1] = scalar_maximum(%28, -3.4028234663852886e+38)
%30[8, 4] = ewise_sub(%11, %29[8, 4; 1, 0; 0])
%31[8, 4] = ewise_exp(%30)
%32[8, 1] = reduce_sum(%31)
%33[8, 1] = ewise_log(%32)
%34[8, 1] = ewise_add(%33, %29)
%35[8, 4] = ewise_sub(%11, %34[8, 4; 1, 0; 0])
%36[8, 4] = ewise_exp(%35)
%37[8, 4] = ewise_sub(%36, %12)
%38[] = scalar_div(%26, 8.0)
%39[8, 4] = ewise_mul(%37, %38[8, 4; 0, 0; 0])
%40[1, 4] = reduce_sum(%39)
%41[8, 16] = matmul(%39, %8[4, 16; 1, 4; 0])
%42[16, 4] = matmul(%7[16, 8; 1, 16; 0], %39)
%43[8, 16] = scalar_gt(%7, 0)
%44[8, 16] = ewise_mul(%41, %43)
%45[8, 16] = ewise_mul(%44, %44)
%46[1, 1] = reduce_sum(%45)
%47[1, 16] = reduce_sum(%44)
%48[6, 16] = matmul(%0[6, 8; 1, 6; 0], %44)
%49[6, 16] = scalar_mul(%2, $2)
%50[6, 16] = ewise_add(%48, %49)
%52[6, 16] = scalar_mul(%51, $0)
%53[6, 16] = scalar_mul(%50, $4)
%54[6, 16] = ewise_add(%52, %53)
%55[6, 16] = scalar_mul(%54, $5)
%56[6, 16] = ewise_sub(%2, %55)
%57[1, 16] = scalar_mul(%4, $2)
%58[1, 16] = ewise_add(%47, %57)
%60[1, 16] = scalar_mul(%59, $0)
%61[1, 16] = scalar_mul(%58, $4)
%62[1, 16] = ewise_add(%60, %61)
%63[1, 16] = scalar_mul(%62, $5)
%64[1, 16] = ewise_sub(%4, %63)
%65[16, 4] = scalar_mul(%8, $2)
%66[16, 4] = ewise_add(%42, %65)
%68[16, 4] = scalar_mul(%67, $0)
%69[16, 4] = scalar_mul(%66, $4)
%70[16, 4] = ewise_add(%68, %69)
%71[16, 4] = scalar_mul(%70, $5)
%72[16, 4] = ewise_sub(%8, %71)
%73[1, 4] = scalar_mul(%10, $2)
%74[1, 4] = ewise_add(%40, %73)
%76[1, 4] = scalar_mul(%75, $0)
%77[1, 4] = scalar_mul(%74, $4)
%78[1, 4] = ewise_add(%76, %77)
%79[1, 4] = scalar_mul(%78, $5)
%80[1, 4] = ewise_sub(%10, %79)
%2.data <- %56
%2.grad <- %48
%4.data <- %64
%4.grad <- %47
%8.data <- %72
%8.grad <- %42
%10.data <- %80
%10.grad <- %40
%51.data <- %54
%59.data <- %62
%67.data <- %70
%75.data <- %78
return %25
"""
