# What the compiler and the linker can do against a fault that is exploited: canaries on the stack,
# checked string functions, a stack that cannot jump over its guard page, branches that land where
# they may, and a table of functions that is read-only before main() begins. The sanitizers have
# their own means, and do not go together with these.
include(CheckCCompilerFlag)
include(CheckPIESupported)

check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_compile_options(-fstack-protector-strong -fstack-clash-protection)
# Some compilers define it by themselves; it needs optimisation, which a debug build has not.
add_compile_options($<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
                    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
foreach(flag -fcf-protection=full -mbranch-protection=standard) # x86-64, arm64
    string(MAKE_C_IDENTIFIER "HAS${flag}" has)
    check_c_compiler_flag(${flag} ${has})
    if(${has})
        add_compile_options(${flag})
    endif()
endforeach()
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
